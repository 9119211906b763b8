// The OCR example as its reader runs it: a receipt is drawn and read with each pair of models that
// examples/ocr/fetch_models.sh fetches.
#include "tests/cli/program.h"
#include "tests/support/sanitizers.h"

#include <gmock/gmock.h>
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

constexpr const char* kClassifier = "ch_ppocr_mobile_v2.0_cls.onnx";

std::string model_path(const std::string& name) { return kExample / "models" / name; }
bool has_model(const std::string& name) { return fs::exists(model_path(name)); }

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

// A page that lies upside down has its last line first.
enum class Page { kUpright, kUpsideDown };

std::string read_letters(const fs::path& folder, Page lies = Page::kUpright) {
  std::ifstream pages(folder / "out/pages.jsonl");
  nlohmann::json lines = nlohmann::json::parse(pages)["lines"];
  if (lies == Page::kUpsideDown) std::reverse(lines.begin(), lines.end());
  std::string letters;
  for (const auto& line : lines) letters += letters_of(line["text"]);
  return letters;
}

void turn_receipt(const fs::path& folder) {
  const Finished turned = run(
      "/usr/bin/python3 -c 'from PIL import Image; "
      "Image.open(\"receipt/page-06.jpg\").rotate(180).save(\"receipt/page-06.jpg\", quality=95)'",
      folder);
  ASSERT_EQ(turned.exit_code, 0) << turned.err;
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
    return "sluice run " + (kExample / "ocr.yaml").string() +
           " -p pages=receipt -p out=out -p det=" + model_path(GetParam().det) +
           " -p rec=" + model_path(GetParam().rec);
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

TEST_P(OcrExample, TurnsTheLinesOfAReceiptThatLiesUpsideDown) {
  if (!has_model(kClassifier)) GTEST_SKIP() << "no classifier: bash examples/ocr/fetch_models.sh";
  turn_receipt(folder_.path());
  const std::string drawn = drawn_letters(folder_.path());

  ASSERT_EQ(run(command(), folder_.path()).exit_code, 0);
  EXPECT_NE(read_letters(folder_.path(), Page::kUpsideDown), drawn);

  const Finished finished =
      run(command() + " --overwrite -p turn_lines=true -p cls=" + model_path(kClassifier),
          folder_.path());
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(read_letters(folder_.path(), Page::kUpsideDown), drawn);
}

#if defined(SLUICE_EMULATED_CUDA) && !SLUICE_TEST_ASAN && !SLUICE_TEST_TSAN
// In fp16, by the kernels of a GPU on the host. That takes its time: the head of the receipt, and a
// detector that sees it small.
TEST_P(OcrExample, ReadsTheHeadOfAReceiptOnAnEmulatedGpu) {
  const Finished cut = run(
      "/usr/bin/python3 -c 'from PIL import Image; "
      "Image.open(\"receipt/page-06.jpg\").crop((0, 0, 620, 110)).save(\"receipt/page-06.jpg\", "
      "quality=95)'",
      folder_.path());
  ASSERT_EQ(cut.exit_code, 0) << cut.err;

  const Finished finished = run("LD_LIBRARY_PATH=$FAKES/driver SLUICE_BACKENDS=$FAKES/emulated " +
                                    command() + " --set nodes.det_in.short_side=96",
                                folder_.path());

  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.err, ::testing::HasSubstr("rec: 2 lanes on device cuda:0, fp16"));
  EXPECT_EQ(read_letters(folder_.path()), "CORNERSHOPBRISTOL");
}
#endif

INSTANTIATE_TEST_SUITE_P(
    Models, OcrExample,
    ::testing::Values(Models{"v6", "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"},
                      Models{"v4", "ch_PP-OCRv4_det_infer.onnx", "ch_PP-OCRv4_rec_infer.onnx"}),
    [](const auto& info) { return info.param.version; });

}  // namespace
}  // namespace sluice
