// ocr.ctc: reads a line of text off a recogniser's steps.
//   rec:  { type: infer, from: rec_in, model: ./rec.onnx }
//   line: { type: ocr.ctc, from: { steps: rec, quad: box }, min_score: 0.5 }
//   lines: { type: gather, from: line }
// Takes the likeliest class of each step, drops repeats and blanks ("Connectionist Temporal
// Classification", Graves and others, 2006). Lines under min_score, and lines of nothing but white
// space, are filtered: they are simply not in the gathered list. Related: ocr.boxes, gather.
#include "sluice/core/read_file.h"
#include "sluice/core/registry.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace sluice {
namespace {

struct Best {
  std::size_t place = 0;
  float value = 0;
};

// The first of the largest values, of which NaN is none; place 0 where there is nothing larger than
// minus infinity. Looks for the largest a block at a time, which is vector code,
// and for its place only in the block that held it: a step has tens of thousands of classes.
Best find_largest(const float* values, std::size_t count) {
  constexpr std::size_t kLanes = 16;
  constexpr std::size_t kBlock = 1024;
  Best best{0, -std::numeric_limits<float>::infinity()};
  std::size_t block_of_best = count;
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t end = std::min(begin + kBlock, count);
    float lanes[kLanes];
    std::fill_n(lanes, kLanes, best.value);
    std::size_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (std::size_t k = 0; k < kLanes; ++k)
        lanes[k] = values[i + k] > lanes[k] ? values[i + k] : lanes[k];
    }
    for (; i < end; ++i) lanes[0] = values[i] > lanes[0] ? values[i] : lanes[0];
    const float largest = *std::max_element(lanes, lanes + kLanes);
    if (largest > best.value) {
      best.value = largest;
      block_of_best = begin;
    }
  }
  if (block_of_best == count) return best;
  const float* block = values + block_of_best;
  const float* block_end = values + std::min(block_of_best + kBlock, count);
  best.place = static_cast<std::size_t>(std::find(block, block_end, best.value) - values);
  return best;
}

// One entry a line, the last one with or without a line end.
std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> entries;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view entry = text.substr(0, end);
    if (!entry.empty() && entry.back() == '\r') entry.remove_suffix(1);
    entries.emplace_back(entry);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return entries;
}

// White space of ASCII and Unicode that PP-OCR's character lists hold: U+3000, U+00A0.
bool is_blank(std::string_view text) {
  while (!text.empty()) {
    if (std::strchr(" \t\r\n", text.front())) {
      text.remove_prefix(1);
    } else if (text.starts_with("\xE3\x80\x80")) {
      text.remove_prefix(3);
    } else if (text.starts_with("\xC2\xA0")) {
      text.remove_prefix(2);
    } else {
      return false;
    }
  }
  return true;
}

class Ctc final : public Node {
 public:
  inline static const In<Tensor> steps{
      "steps", "f32 [T,C]: for each step along the line, a probability for each class"};
  inline static const In<Quad> quad =
      In<Quad>("quad", "where the line is, to go with the text").optional();
  inline static const Out<TextLine> out{"out", "the text, its score and its place"};
  inline static const Option<double> min_score =
      Option<double>("min_score", "a line whose mean probability is less is filtered, 0..1")
          .range(0, 1)
          .or_default(0.5);
  inline static const Option<Path> characters = Option<Path>(
      "characters",
      "file with a character a line, class 1 first; default: the model's own metadata `character`");
  inline static const Spec kSpec =
      Spec("ocr.ctc", "Reads a line of text off a recogniser's steps.")
          .ports(steps, quad, out)
          .options(min_score, characters)
          .stateless()
          .notes(
              "Class 0 is the blank, then the characters in their order, then, where the model has "
              "one class more, the space. The score is the mean over the characters. Lines under "
              "min_score or of nothing but white space are filtered, not rejected. "
              "Related: ocr.boxes, infer, gather.")
          .rejects("ocr.shape", "the tensor is no [T,C] with the classes of the character list")
          .example(R"(nodes:
  rec:  { type: infer, from: rec_in, model: ./rec.onnx }
  line: { type: ocr.ctc, from: { steps: rec, quad: box }, min_score: 0.5 }
)");

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    ports.inputs[steps.index()].type.tensor = TensorType{DType::kF32, std::nullopt, ""};
    load_characters(plan);
    const PortType* wired = plan.wired(steps);
    if (!wired || !wired->tensor || !wired->tensor->dims || characters_.empty()) return ports;
    const std::vector<Dim>& dims = *wired->tensor->dims;
    const bool fits = dims.size() == 2 && (!dims[1].is_static() || takes_classes(dims[1].size));
    if (!fits) {
      plan.input_problem(steps.name(), "SL0403",
                         "ocr.ctc takes steps of [T," + std::to_string(characters_.size() + 2) +
                             "], and this is " + wired->to_string(),
                         "classes are a blank, the characters, and perhaps a space: check that the "
                         "character list is the model's");
    }
    return ports;
  }

  Status process(Context& ctx) override {
    const Tensor& tensor = ctx.get(steps);
    const Shape& shape = tensor.shape();
    if (shape.rank() != 2 || tensor.dtype() != DType::kF32 || !tensor.is_contiguous() ||
        !takes_classes(shape[1])) {
      return invalid("ocr.shape", "steps of " + shape.to_string() + ", expected f32 [T," +
                                      std::to_string(characters_.size() + 2) + "]");
    }
    TextLine line = read(tensor);
    if (is_blank(line.text) || line.score < ctx.option(min_score)) return Status::ok();
    if (ctx.has(quad)) line.quad = ctx.get(quad);
    ctx.emit(out, std::move(line));
    return Status::ok();
  }

 private:
  bool takes_classes(std::int64_t classes) const {
    const auto known = static_cast<std::int64_t>(characters_.size());
    return classes == known + 1 || classes == known + 2;
  }

  void load_characters(Resolve& plan) {
    if (plan.has(characters)) {
      const std::string& path = plan.option(characters).text;
      const Result<std::string> text = read_file(path);
      if (!text) {
        plan.option_problem(characters, "SL0704",
                            "cannot read " + path + ": " + text.status().message(),
                            "correct the path");
        return;
      }
      characters_ = split_lines(*text);
      if (characters_.empty()) plan.option_problem(characters, "SL0704", path + " is empty");
      return;
    }
    const PortType* wired = plan.wired(steps);
    if (!wired) return;
    if (wired->metadata) {
      if (const auto found = wired->metadata->find("character"); found != wired->metadata->end()) {
        characters_ = split_lines(found->second);
      }
    }
    if (characters_.empty()) {
      plan.input_problem(steps.name(), "SL0407", "the model has no metadata `character`",
                         "name a file with a character a line: `characters: ./characters.txt`");
    }
  }

  TextLine read(const Tensor& tensor) const {
    TextLine line;
    const auto classes = static_cast<std::size_t>(tensor.shape()[1]);
    const float* step = tensor.data<float>();
    std::size_t previous = 0;
    double sum = 0;
    int kept = 0;
    for (std::int64_t t = 0; t < tensor.shape()[0]; ++t, step += classes) {
      const Best best = find_largest(step, classes);
      if (best.place != 0 && best.place != previous) {
        line.text +=
            best.place <= characters_.size() ? characters_[best.place - 1] : std::string(" ");
        sum += best.value;
        ++kept;
      }
      previous = best.place;
    }
    line.score = kept == 0 ? 0 : static_cast<float>(sum / kept);
    return line;
  }

  std::vector<std::string> characters_;
};

[[maybe_unused]] const bool kRegistered = register_node<Ctc>();

}  // namespace
}  // namespace sluice
