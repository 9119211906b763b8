"""Full-size ONNX models with random weights, for timing: `write(name, path)` with a name of WRITERS.

The convolutional ones are the `light_*` graphs of the `onnx` wheel, whose weights are made by
ConstantOfShape nodes: each of these becomes an initializer of the same shape, drawn so that magnitudes
stay about as they were from layer to layer. A softmax at the end is left out: on random logits it is so close to
0 and 1 that a wrong model would pass for a right one. MobileNetV2 and the MiniLM-L6 encoder are written node by node in the
way that PyTorch exports them. The batch is fixed at 1 in the first and free in the other two.
"""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LIGHT_MODELS = pathlib.Path(onnx.__file__).parent / "backend/test/data/light"


# ---------------------------------------------------------------- the light graphs

def reader_of(graph, name):
    """The node that takes `name` as its weight, and the index of that input; Unsqueeze is passed through."""
    for node in graph.node:
        for index, operand in enumerate(node.input):
            if operand == name:
                return reader_of(graph, node.output[0]) if node.op_type == "Unsqueeze" else (node, index)
    raise ValueError(f"nobody reads {name}")


def random_weight(random, shape, node, index):
    if node.op_type in ("Conv", "Gemm") and index == 1:
        return random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    if node.op_type == "BatchNormalization":
        scale, bias, mean, variance = (0.6, 0.9), None, None, (0.8, 1.2)
        bounds = (None, scale, bias, mean, variance)[index]
        return random.uniform(*bounds, shape) if bounds else random.normal(0, 0.05, shape)
    if node.op_type == "Mul":
        return random.uniform(0.8, 1.1, shape)
    return random.normal(0, 0.02, shape)


def write_light(graph_name, path, random):
    model = onnx.load(LIGHT_MODELS / f"light_{graph_name}.onnx")
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = []
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            shape = [int(extent) for extent in constants[node.input[0]]]
            values = random_weight(random, shape, *reader_of(graph, node.output[0]))
            weights.append(numpy_helper.from_array(np.asarray(values, np.float32), node.output[0]))

    kept = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    if kept[-1].op_type == "Softmax":
        graph.output[0].name = kept.pop().input[0]
    used = {name for node in kept for name in node.input}
    made = {tensor.name for tensor in weights}
    weights += [tensor for tensor in graph.initializer if tensor.name in used]
    # Files of old list each initializer as an input too.
    inputs = [port for port in graph.input if port.name in used and port.name not in constants and port.name not in made]
    for field, values in ((graph.node, kept), (graph.initializer, weights), (graph.input, inputs), (graph.value_info, [])):
        values = [type(value).FromString(value.SerializeToString()) for value in values]
        del field[:]
        field.extend(values)
    model.ir_version = 8
    onnx.save(model, path)


# ---------------------------------------------------------------- node by node

class Writer:
    """Collects nodes and weights; every method that adds a node returns the name of its output."""

    def __init__(self, random):
        self.random, self.nodes, self.weights = random, [], []

    def constant(self, values, dtype=np.float32):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def normal(self, *shape, scale=0.02):
        return self.constant(self.random.standard_normal(shape) * scale)

    def op(self, kind, *inputs, **attributes):
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def save(self, path, inputs, output):
        graph = helper.make_graph(self.nodes, path.stem, inputs, [output], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, path)


def write_mobilenetv2(path, random):
    writer = Writer(random)
    low, high = writer.constant(0), writer.constant(6)

    def conv(x, channels, outputs, size, stride=1, group=1, relu6=True):
        fan_in = channels // group * size * size
        weight = writer.normal(outputs, channels // group, size, size, scale=np.sqrt(2 / fan_in))
        x = writer.op("Conv", x, weight, writer.normal(outputs), kernel_shape=[size, size], strides=[stride, stride],
                      pads=[size // 2] * 4, group=group, dilations=[1, 1])
        return writer.op("Clip", x, low, high) if relu6 else x

    x, channels = conv("input", 3, 32, 3, stride=2), 32
    blocks = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expansion, outputs, repeats, first_stride in blocks:
        for index in range(repeats):
            hidden, y = channels * expansion, x
            if expansion != 1:
                y = conv(y, channels, hidden, 1)
            y = conv(y, hidden, hidden, 3, stride=1 if index else first_stride, group=hidden)
            y = conv(y, hidden, outputs, 1, relu6=False)
            x, channels = writer.op("Add", x, y) if index else y, outputs
    x = writer.op("Flatten", writer.op("GlobalAveragePool", conv(x, 320, 1280, 1)), axis=1)
    x = writer.op("Gemm", x, writer.normal(1000, 1280), writer.constant(np.zeros(1000)), transB=1)
    writer.save(path, [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 224, 224])],
                helper.make_tensor_value_info(x, TensorProto.FLOAT, ["N", 1000]))


def write_minilm(path, random):
    width, hidden, layers, heads, vocabulary = 384, 1536, 6, 12, 30522
    writer = Writer(random)
    two, one, half = writer.constant(2), writer.constant(1), writer.constant(0.5)
    root_two, epsilon = writer.constant(np.sqrt(2)), writer.constant(1e-12)
    split_heads = writer.constant([0, 0, heads, width // heads], np.int64)
    join_heads = writer.constant([0, 0, width], np.int64)
    root_size = writer.constant(np.sqrt(width // heads))

    def indices(*values):
        return writer.constant(values, np.int64)

    def norm(x):
        centred = writer.op("Sub", x, writer.op("ReduceMean", x, axes=[-1], keepdims=1))
        variance = writer.op("ReduceMean", writer.op("Pow", centred, two), axes=[-1], keepdims=1)
        scaled = writer.op("Div", centred, writer.op("Sqrt", writer.op("Add", variance, epsilon)))
        weighted = writer.op("Mul", scaled, writer.constant(np.ones(width)))
        return writer.op("Add", weighted, writer.constant(np.zeros(width)))

    def linear(x, inputs, outputs):
        product = writer.op("MatMul", x, writer.normal(inputs, outputs, scale=1 / np.sqrt(inputs)))
        return writer.op("Add", writer.normal(outputs), product)

    def embedded():
        words = writer.op("Gather", writer.normal(vocabulary, width), "input_ids", axis=0)
        kinds = writer.op("Gather", writer.normal(2, width), "token_type_ids", axis=0)
        length = writer.op("Gather", writer.op("Shape", "input_ids"), writer.constant(1, np.int64), axis=0)
        end = writer.op("Unsqueeze", length, indices(0))
        places = writer.op("Slice", writer.normal(1, 512, width), indices(0), end, indices(1))
        return norm(writer.op("Add", writer.op("Add", words, kinds), places))

    def attention(x, mask):
        query, key, value = (writer.op("Reshape", linear(x, width, width), split_heads) for _ in range(3))
        query = writer.op("Transpose", query, perm=[0, 2, 1, 3])
        key = writer.op("Transpose", key, perm=[0, 2, 3, 1])
        value = writer.op("Transpose", value, perm=[0, 2, 1, 3])
        scores = writer.op("Add", writer.op("Div", writer.op("MatMul", query, key), root_size), mask)
        mixed = writer.op("MatMul", writer.op("Softmax", scores, axis=-1), value)
        return writer.op("Reshape", writer.op("Transpose", mixed, perm=[0, 2, 1, 3]), join_heads)

    def gelu(x):
        erf = writer.op("Erf", writer.op("Div", x, root_two))
        return writer.op("Mul", writer.op("Mul", x, writer.op("Add", erf, one)), half)

    kept = writer.op("Cast", writer.op("Unsqueeze", "attention_mask", indices(1, 2)), to=TensorProto.FLOAT)
    mask = writer.op("Mul", writer.op("Sub", one, kept), writer.constant(-1e4))
    x = embedded()
    for _ in range(layers):
        x = norm(writer.op("Add", linear(attention(x, mask), width, width), x))
        x = norm(writer.op("Add", linear(gelu(linear(x, width, hidden)), hidden, width), x))
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["N", "S"])
              for name in ("input_ids", "attention_mask", "token_type_ids")]
    writer.save(path, inputs, helper.make_tensor_value_info(x, TensorProto.FLOAT, ["N", "S", width]))


WRITERS = {
    "resnet50": lambda *to: write_light("resnet50", *to),
    "squeezenet1.1": lambda *to: write_light("squeezenet", *to),
    "densenet121": lambda *to: write_light("densenet121", *to),
    "inception_v1": lambda *to: write_light("inception_v1", *to),
    "vgg19": lambda *to: write_light("vgg19", *to),
    "mobilenetv2": write_mobilenetv2,
    "minilm_l6": write_minilm,
}


def write(name, path):
    """Writes the model to `path`; equal names give equal files with the same version of onnx and numpy."""
    WRITERS[name](path, np.random.default_rng(0))
