"""How many floating-point operations a model takes in its products: convolutions and matrix products."""
import math

import onnx
import onnxruntime

COUNTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def count(path, inputs):
    """For these inputs. A multiply-add is two; as the definitions have it, whatever an engine saves by
    Winograd's method. The shapes are those of a run with every operand as an output."""
    model = onnx.load(path)
    nodes = [node for node in model.graph.node if node.op_type in COUNTED]
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    weights |= {node.output[0]: tuple(attribute.t.dims) for node in model.graph.node if node.op_type == "Constant"
                for attribute in node.attribute if attribute.name == "value"}
    shapes = shapes_of(model, {name for node in nodes for name in (*node.input, node.output[0])} - set(weights) - {""},
                       inputs) | weights
    return sum(operations(node, shapes) for node in nodes)


def shapes_of(model, names, inputs):
    declared = {port.name for port in (*model.graph.output, *model.graph.input)}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names - declared)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {port.name: values for port, values in zip(session.get_inputs(), inputs)}
    results = session.run(None, feed)
    return {port.name: values.shape for port, values in zip(session.get_outputs(), results)} | {
        name: values.shape for name, values in feed.items()}


def operations(node, shapes):
    first, second, out = shapes[node.input[0]], shapes[node.input[1]], shapes[node.output[0]]
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    if node.op_type == "Conv":  # weight: outputs, inputs of a group, window
        return 2 * math.prod(out) * math.prod(second[1:])
    if node.op_type == "ConvTranspose":  # weight: inputs, outputs of a group, window
        return 2 * math.prod(first) * math.prod(second[1:])
    if node.op_type == "Gemm":
        return 2 * math.prod(out) * first[0 if attributes.get("transA") else 1]
    return 2 * math.prod(out) * first[-1]
