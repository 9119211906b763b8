#include "sluice/core/registry.h"
#include "sluice/graphs/make_plan.h"

#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

// What holds for every node type, whoever adds one.

namespace sluice {
namespace {

namespace fs = std::filesystem;
using testing::OnnxWriter;
using testing::TempFolder;

const fs::path kRoot = SLUICE_SOURCE_DIR;

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

bool is_for_tests(const Spec& spec) { return spec.type().starts_with("test."); }

// Every test and case file but this one, one after the other.
std::string all_tests() {
  std::string all;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "tests")) {
    const fs::path& path = entry.path();
    const bool is_test = path.string().ends_with("_test.cpp") || path.extension() == ".yaml";
    if (entry.is_regular_file() && is_test && path.filename() != "catalogue_test.cpp") {
      all += text_of(path);
    }
  }
  return all;
}

bool names_node(const std::string& tests, const std::string& type) {
  for (const std::string& start : {"(\"" + type + "\"", "type: " + type}) {
    for (std::size_t at = tests.find(start); at != std::string::npos;
         at = tests.find(start, at + 1)) {
      const char next = at + start.size() < tests.size() ? tests[at + start.size()] : '\n';
      if (next != '.' && next != '_' && !std::isalnum(static_cast<unsigned char>(next)))
        return true;
    }
  }
  return false;
}

TEST(EveryNode, IsNamedByATest) {
  const std::string tests = all_tests();
  for (const NodeType* type : node_types()) {
    if (is_for_tests(*type->spec)) continue;
    EXPECT_TRUE(names_node(tests, type->spec->type()))
        << type->spec->type() << ": write a test of it, tests/nodes/GROUP/NAME_test.cpp";
  }
}

TEST(EveryNode, SaysWhatItsPortsAndOptionsAre) {
  for (const NodeType* type : node_types()) {
    const Spec& spec = *type->spec;
    if (is_for_tests(spec)) continue;
    EXPECT_TRUE(spec.summary().ends_with('.')) << spec.type();
    EXPECT_FALSE(spec.example_yaml().empty()) << spec.type() << " has no example";
    for (const PortDecl& port : spec.inputs()) EXPECT_FALSE(port.doc.empty()) << spec.type();
    for (const PortDecl& port : spec.outputs()) EXPECT_FALSE(port.doc.empty()) << spec.type();
    for (const OptionConstant* option : spec.options()) {
      EXPECT_FALSE(option->doc().empty()) << spec.type() << ' ' << option->name();
    }
    for (const RejectCode& code : spec.reject_codes()) {
      EXPECT_NE(code.reason.find('.'), std::string::npos) << spec.type() << ' ' << code.reason;
      EXPECT_FALSE(code.doc.empty()) << spec.type() << ' ' << code.reason;
    }
  }
}

// A model of one operator, under the name that an example calls it.
void write_model(const TempFolder& folder, const std::string& name, const OnnxWriter& model) {
  folder.write(name, model.bytes());
}

// The files that examples name.
void write_files(const TempFolder& folder) {
  folder.write("prompts.txt", "a\n");
  folder.write("questions.jsonl", "{}\n");
  folder.write("labels.txt", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");

  // Probabilities of a page: [N,3,H,W] to [N,1,H,W].
  write_model(folder, "det.onnx",
              OnnxWriter()
                  .input("x", {"N", 3, "H", "W"})
                  .output("y")
                  .node("ReduceMax", {"x"}, {"y"},
                        {testing::attribute("axes", std::vector<std::int64_t>{1})}));
  // Steps of a line: [N,3,48,W] to [N,W,3], a blank and two characters.
  write_model(folder, "rec.onnx",
              OnnxWriter()
                  .metadata("character", "a\nb")
                  .input("x", {"N", 3, 48, "W"})
                  .output("y")
                  .node("ReduceMax", {"x"}, {"row"},
                        {testing::attribute("axes", std::vector<std::int64_t>{2}),
                         testing::attribute("keepdims", std::int64_t{0})})
                  .node("Transpose", {"row"}, {"y"},
                        {testing::attribute("perm", std::vector<std::int64_t>{0, 2, 1})}));
  // Ten classes of a picture: [N,3,224,224] to [N,10].
  const OnnxWriter classifier =
      OnnxWriter()
          .input("x", {"N", 3, 224, 224})
          .output("y")
          .constant("weights", testing::tensor_of<float>({3, 10}, std::vector<float>(30, 1)))
          .node("GlobalAveragePool", {"x"}, {"mean"})
          .node("Flatten", {"mean"}, {"flat"})
          .node("MatMul", {"flat", "weights"}, {"y"});
  write_model(folder, "classify.onnx", classifier);
  // Two classes of a line: [N,3,48,W] to [N,2].
  write_model(folder, "cls.onnx",
              OnnxWriter()
                  .input("x", {"N", 3, 48, "W"})
                  .output("y")
                  .constant("weights", testing::tensor_of<float>({3, 2}, std::vector<float>(6, 1)))
                  .node("GlobalAveragePool", {"x"}, {"mean"})
                  .node("Flatten", {"mean"}, {"flat"})
                  .node("MatMul", {"flat", "weights"}, {"y"}));
  write_model(folder, "model.onnx", classifier);
}

// Nodes that stand around the pieces of pipelines, by the names that the examples call them.
const std::map<std::string, std::string>& surroundings() {
  static const std::map<std::string, std::string> kNodes{
      {"files", R"({ type: files, glob: "./photos/*.jpg", allow_empty: true })"},
      {"page", "{ type: image.decode, from: files }"},
      {"det_in", "{ type: image.to_tensor, from: page, short_side: 736, multiple_of: 32 }"},
      {"det", "{ type: infer, from: det_in, model: ./det.onnx }"},
      {"boxes", "{ type: ocr.boxes, from: { prob: det, map: det_in.map } }"},
      {"box", "{ type: split, from: boxes }"},
      {"crop", "{ type: image.crop_quad, from: { image: page, quad: box } }"},
      {"turn_in", "{ type: image.to_tensor, from: crop, height: 48, max_width: 192 }"},
      {"rec_in", "{ type: image.to_tensor, from: crop, height: 48, max_width: 3200 }"},
      {"rec", "{ type: infer, from: rec_in, model: ./rec.onnx }"},
      {"line", "{ type: ocr.ctc, from: { steps: rec, quad: box } }"},
      {"lines", "{ type: gather, from: line }"},
      {"input", "{ type: image.to_tensor, from: page, width: 224, height: 224 }"},
      {"logits", "{ type: infer, from: input, model: ./classify.onnx }"},
  };
  return kNodes;
}

// The line that answers a problem which a piece of a pipeline has only because it is a piece: a
// node that it reads from, or a reader of what it gives. Empty for any other problem.
std::string missing_line(const Diagnostic& problem) {
  static const std::regex kReads("`[^`]+` reads from `([^`]+)`, and no node is called so");
  static const std::regex kUnread("nobody reads output `([^`]+)` of `([^`]+)` .*");
  std::smatch match;
  if (problem.code == "SL0301" && std::regex_match(problem.message, match, kReads)) {
    const auto node = surroundings().find(match[1]);
    return node == surroundings().end() ? "" : "  " + node->first + ": " + node->second + "\n";
  }
  if (problem.code == "SL0305" && std::regex_match(problem.message, match, kUnread)) {
    return "  end_" + match[2].str() + ": { type: discard, from: " + match[2].str() + "." +
           match[1].str() + " }\n";
  }
  return {};
}

// Plans an example after putting around it what it leaves out.
Diagnostics problems_of(std::string yaml, const TempFolder& folder) {
  if (!yaml.starts_with("version:")) yaml = "version: 1\n" + yaml;
  while (true) {
    Diagnostics found = plan_text(yaml, folder.path("example.yaml")).diagnostics;
    std::string lines;
    for (const Diagnostic& problem : found.items) {
      const std::string line = missing_line(problem);
      if (line.empty()) return found;
      if (lines.find(line) == std::string::npos) lines += line;
    }
    if (lines.empty()) return found;
    yaml += lines;
  }
}

TEST(EveryNode, HasAnExampleThatLoads) {
  const TempFolder folder;
  write_files(folder);
  for (const NodeType* type : node_types()) {
    const Spec& spec = *type->spec;
    if (is_for_tests(spec)) continue;
    const Diagnostics problems = problems_of(spec.example_yaml(), folder);

    EXPECT_TRUE(problems.items.empty()) << spec.type() << "\n" << problems.render();
    EXPECT_NE(spec.example_yaml().find("type: " + spec.type()), std::string::npos) << spec.type();
  }
}

// The blocks of a page in this language.
std::vector<std::string> blocks_of(const std::string& page, const std::string& language) {
  std::vector<std::string> blocks;
  const std::string fence = "```" + language + "\n";
  for (std::size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at + 1)) {
    const std::size_t begin = at + fence.size();
    blocks.push_back(page.substr(begin, page.find("```\n", begin) - begin));
  }
  return blocks;
}

TEST(WritingANode, ShowsTheNodeThatIsCompiledAndTestedHere) {
  const auto blocks = blocks_of(text_of(kRoot / "docs/writing-a-node.md"), "cpp");
  const fs::path folder = kRoot / "tests/nodes/example";

  ASSERT_GE(blocks.size(), 2u);
  EXPECT_EQ(blocks[0], text_of(folder / "shrink.cpp"));
  EXPECT_EQ(blocks[1], text_of(folder / "shrink_test.cpp"));
}

// That there is no GPU here is no fault of the page.
TEST(RunningOnAGpu, ShowsPipelinesThatLoad) {
  const TempFolder folder;
  write_files(folder);
  const auto blocks = blocks_of(text_of(kRoot / "docs/gpu.md"), "yaml");

  ASSERT_FALSE(blocks.empty());
  for (const std::string& block : blocks) {
    Diagnostics problems = problems_of(block, folder);
    std::erase_if(problems.items,
                  [](const Diagnostic& problem) { return problem.code == "SL0601"; });
    EXPECT_TRUE(problems.items.empty()) << block << problems.render();
  }
}

}  // namespace
}  // namespace sluice
