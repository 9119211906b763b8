// The OCR example as its reader runs it: a receipt is drawn and read with each pair of models that
// examples/ocr/fetch_models.sh fetches.
#include "tests/cli/program.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

namespace sluice {
namespace {

namespace fs = std::filesystem;
using testing::Finished;
using testing::run;
using testing::Workplace;

const fs::path kExample = fs::path(SLUICE_SOURCE_DIR) / "examples/ocr";

struct Models {
  std::string version;  // as fetch_models.sh takes it
  std::string det;
  std::string rec;
};

bool has_model(const std::string& name) { return fs::exists(kExample / "models" / name); }

// Its one page is the receipt: text of several sizes, prices in a column of their own, a poor JPEG.
void draw_receipt(const fs::path& folder) {
  const Finished drawn =
      run("/usr/bin/python3 " + (kExample / "make_pages").string() +
              " pages --pages 6 --no-ugly && mkdir receipt && mv pages/page-06.jpg receipt/",
          folder);
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
}

// Text without its blanks: PP-OCRv4 leaves some out beside punctuation.
std::string letters_of(const nlohmann::json& text) {
  std::string letters = text.get<std::string>();
  std::erase(letters, ' ');
  return letters;
}

std::string drawn_letters(const fs::path& folder) {
  std::ifstream truth(folder / "pages/truth.jsonl");
  std::string letters;
  for (std::string line; std::getline(truth, line);) {
    const nlohmann::json page = nlohmann::json::parse(line);
    if (page["file"] != "page-06.jpg") continue;
    for (const auto& text : page["lines"]) letters += letters_of(text);
  }
  return letters;
}

std::string read_letters(const fs::path& folder) {
  std::ifstream pages(folder / "out/pages.jsonl");
  std::string letters;
  const nlohmann::json page = nlohmann::json::parse(pages);
  for (const auto& line : page["lines"]) letters += letters_of(line["text"]);
  return letters;
}

class OcrExample : public ::testing::TestWithParam<Models> {
 protected:
  void SetUp() override {
    const Models& models = GetParam();
    if (!has_model(models.det) || !has_model(models.rec)) {
      GTEST_SKIP() << "no models: bash examples/ocr/fetch_models.sh " << models.version;
    }
    draw_receipt(folder_.path());
  }

  std::string command() const {
    const std::string models = (kExample / "models").string() + "/";
    return "sluice run " + (kExample / "ocr.yaml").string() +
           " -p pages=receipt -p out=out -p det=" + models + GetParam().det + " -p rec=" + models +
           GetParam().rec;
  }

  Workplace folder_;
};

TEST_P(OcrExample, ReadsEveryLetterOfAReceipt) {
  const Finished finished = run(command(), folder_.path());

  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const std::string drawn = drawn_letters(folder_.path());
  ASSERT_FALSE(drawn.empty());
  EXPECT_EQ(read_letters(folder_.path()), drawn);
}

INSTANTIATE_TEST_SUITE_P(
    Models, OcrExample,
    ::testing::Values(Models{"v6", "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"},
                      Models{"v4", "ch_PP-OCRv4_det_infer.onnx", "ch_PP-OCRv4_rec_infer.onnx"}),
    [](const auto& info) { return info.param.version; });

}  // namespace
}  // namespace sluice
