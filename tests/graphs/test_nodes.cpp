// Node types for the tests of graphs/: declared as real ones are, and never run.
#include "sluice/core/payloads.h"
#include "sluice/core/registry.h"

namespace sluice {
namespace {

class Source final : public Node {
 public:
  inline static const Option<Path> glob =
      Option<Path>("glob", "which files").required("\"pages/*.jpg\"");
  inline static const Out<Bytes> out{"out", "the file"};
  inline static const Spec kSpec =
      Spec("test.source", "Reads files.").ports(out).options(glob).source();
};

class Decode final : public Node {
 public:
  inline static const In<Bytes> file{"file", "the encoded picture"};
  inline static const Out<Image> out{"out", "the picture"};
  inline static const Spec kSpec =
      Spec("test.decode", "Decodes a picture.").ports(file, out).stateless();
};

class ToTensor final : public Node {
 public:
  inline static const In<Image> image{"image", "the picture"};
  inline static const Out<Tensor> out{"out", "its numbers"};
  inline static const Out<ImageMap> map = Out<ImageMap>("map", "how it was scaled").optional();
  inline static const Option<int> height =
      Option<int>("height", "pixels").range(1, 65535).or_default(224);
  inline static const Option<int> width =
      Option<int>("width", "pixels").range(1, 65535).or_default(224);
  inline static const Option<Choice> layout =
      Option<Choice>("layout", "order of the axes").one_of({"chw", "hwc"}).or_default({"chw"});
  inline static const Option<NumberList> mean =
      Option<NumberList>("mean", "taken off each channel").range(0, 1);
  inline static const Spec kSpec = Spec("test.to_tensor", "Makes a tensor of a picture.")
                                       .ports(image, out, map)
                                       .options(height, width, layout, mean)
                                       .stateless();

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    const Dim h{plan.option(height), {}};
    const Dim w{plan.option(width), {}};
    const std::string axes = plan.option(layout).word;
    std::vector<Dim> dims =
        axes == "chw" ? std::vector<Dim>{{3, {}}, h, w} : std::vector<Dim>{h, w, {3, {}}};
    ports.outputs[0].type.tensor = TensorType{DType::kF32, std::move(dims), axes};
    return ports;
  }
};

class Infer final : public Node {
 public:
  inline static const In<Tensor> input{"input", "what the model takes"};
  inline static const Out<Tensor> out{"out", "what it gives"};
  inline static const Option<Path> model =
      Option<Path>("model", "an ONNX file").required("model.onnx");
  inline static const Option<Choice> element =
      Option<Choice>("element", "what the model wants").one_of({"f32", "u8"}).or_default({"f32"});
  inline static const Spec kSpec = Spec("test.infer", "Runs a model.")
                                       .ports(input, out)
                                       .options(model, element)
                                       .dynamic_outputs("the model's")
                                       .stateless()
                                       .batches()
                                       .runs_on_devices();

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    if (plan.option(model).text.ends_with("missing.onnx")) {
      plan.option_problem(model, "SL0501",
                          "cannot read " + plan.option(model).text + ": No such file or directory");
      return ports;
    }
    const DType dtype = plan.option(element).word == "u8" ? DType::kU8 : DType::kF32;
    ports.inputs[0].type.tensor =
        TensorType{dtype, std::vector<Dim>{{3, {}}, {224, {}}, {-1, "W"}}, "chw"};
    ports.outputs[0].type.tensor = TensorType{DType::kF32, std::vector<Dim>{{1000, {}}}, ""};
    ports.outputs[0].type.metadata = std::make_shared<Metadata>(Metadata{{"backend", "native"}});
    const bool takes_gpu = !plan.option(model).text.ends_with("cpu_only.onnx");
    if (plan.common().has_lanes() && takes_gpu) ports.execution = ExecutionClass::kLanes;
    return ports;
  }
};

class Boxes final : public Node {
 public:
  inline static const In<Tensor> prob{"prob", "how likely each pixel is text"};
  inline static const In<ImageMap> map{"map", "how the picture was scaled"};
  inline static const Out<List<Quad>> out{"out", "the boxes"};
  inline static const Spec kSpec =
      Spec("test.boxes", "Finds boxes.").ports(prob, map, out).stateless();
};

class Split final : public Node {
 public:
  inline static const In<Any> in{"in", "a list"};
  inline static const Out<Any> out = Out<Any>("out", "one element").many();
  inline static const Spec kSpec =
      Spec("test.split", "Takes a list apart.").ports(in, out).stateless();

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    if (const PortType* list = plan.wired(in); list && list->payload->element) {
      ports.outputs[0].type.payload = list->payload->element;
    }
    return ports;
  }
};

class Gather final : public Node {
 public:
  inline static const In<Any> in = In<Any>("in", "one child").closes_scope();
  inline static const Out<Any> out{"out", "the list"};
  inline static const Spec kSpec =
      Spec("test.gather", "Puts a list together.").ports(in, out).serial();

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    ports.outputs[0].type.payload = &list_of(*plan.wired(in)->payload);
    return ports;
  }
};

class Crop final : public Node {
 public:
  inline static const In<Image> image{"image", "the page"};
  inline static const In<Quad> quad{"quad", "the box"};
  inline static const Out<Image> out{"out", "what is in the box"};
  inline static const Spec kSpec =
      Spec("test.crop", "Cuts a box out.").ports(image, quad, out).stateless();
};

class Both final : public Node {
 public:
  inline static const In<Any> a{"a", "one thing"};
  inline static const In<Any> b = In<Any>("b", "another").optional();
  inline static const Out<Any> out{"out", "the first"};
  inline static const Spec kSpec = Spec("test.both", "Takes two.").ports(a, b, out).stateless();
};

class Filter final : public Node {
 public:
  inline static const In<Any> in{"in", "anything"};
  inline static const Out<Any> out{"out", "what passes"};
  inline static const Out<Any> rest = Out<Any>("rest", "what does not").optional();
  inline static const Option<Expression> where = Option<Expression>("where", "what passes");
  inline static const Spec kSpec =
      Spec("test.filter", "Parts items.").ports(in, out, rest).options(where).stateless();

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    for (PortDecl& output : ports.outputs) output.type = *plan.wired(in);
    return ports;
  }
};

class Write final : public Node {
 public:
  inline static const Option<Path> path =
      Option<Path>("path", "the file to write").required("out.jsonl");
  inline static const Option<ExpressionMap> fields =
      Option<ExpressionMap>("fields", "what each line holds");
  inline static const Spec kSpec = Spec("test.write", "Writes lines.")
                                       .options(path, fields)
                                       .dynamic_inputs("whatever the fields name")
                                       .sink()
                                       .serial()
                                       .blocking();

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    for (const WiredInput& input : plan.inputs()) {
      ports.inputs.push_back(
          {input.name.empty() ? "value" : input.name, "a value", PortType::of<Any>()});
    }
    return ports;
  }
};

class WriteImage final : public Node {
 public:
  inline static const In<Image> image{"image", "the picture"};
  inline static const Option<Template> path =
      Option<Template>("path", "the file").required("\"${item.stem}.png\"");
  inline static const Spec kSpec = Spec("test.write_image", "Writes a picture.")
                                       .ports(image)
                                       .options(path)
                                       .sink()
                                       .stateless()
                                       .blocking();
};

class Discard final : public Node {
 public:
  inline static const In<Any> in{"in", "anything"};
  inline static const Spec kSpec =
      Spec("test.discard", "Ends a branch.").ports(in).sink().stateless();
};

// An option of every kind.
class Values final : public Node {
 public:
  inline static const Option<bool> flag{"flag", "yes or no"};
  inline static const Option<int> count = Option<int>("count", "how many").range(1, 10);
  inline static const Option<double> ratio = Option<double>("ratio", "a share").range(0, 1);
  inline static const Option<std::string> text{"text", "anything"};
  inline static const Option<Path> file{"file", "a file"};
  inline static const Option<ByteSize> size{"size", "how large"};
  inline static const Option<Duration> wait{"wait_for", "how long"};
  inline static const Option<Choice> color =
      Option<Choice>("color", "which").one_of({"red", "green"});
  inline static const Option<NumberList> mean = Option<NumberList>("mean", "numbers").range(0, 1);
  inline static const Option<TextList> names{"names", "words"};
  inline static const Option<Template> label{"label", "per item"};
  inline static const Option<Expression> where{"where", "an expression"};
  inline static const Option<ExpressionMap> fields{"fields", "expressions"};
  inline static const Out<Text> out{"out", "text"};
  inline static const Spec kSpec = Spec("test.values", "Has an option of every kind.")
                                       .ports(out)
                                       .options(flag, count, ratio, text, file, size, wait, color,
                                                mean, names, label, where, fields)
                                       .source();
};

[[maybe_unused]] const bool kRegistered =
    register_node<Source>() && register_node<Decode>() && register_node<ToTensor>() &&
    register_node<Infer>() && register_node<Boxes>() && register_node<Split>() &&
    register_node<Gather>() && register_node<Crop>() && register_node<Both>() &&
    register_node<Filter>() && register_node<Write>() && register_node<WriteImage>() &&
    register_node<Discard>() && register_node<Values>();

}  // namespace
}  // namespace sluice
