#include "sluice/nodes/infer/choose_backend.h"

#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

// Which backend takes a model, told by backends that only say yes or no.

namespace sluice {
namespace {

using testing::FailsWith;
using ::testing::HasSubstr;
using testing::IsOk;

class NoModel final : public Model {
 public:
  explicit NoModel(std::string backend) : backend_(std::move(backend)) {}
  const std::vector<ModelPort>& inputs() const override { return ports_; }
  const std::vector<ModelPort>& outputs() const override { return ports_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  std::string_view backend() const override { return backend_; }
  std::size_t weight_bytes() const override { return 0; }
  Result<std::vector<Shape>> output_shapes(std::span<const Shape>) const override {
    return std::vector<Shape>{};
  }
  Result<std::unique_ptr<Session>> new_session() const override {
    return internal("infer.failed", "it has none");
  }

 private:
  std::string backend_;
  std::vector<ModelPort> ports_;
  std::map<std::string, std::string> metadata_;
};

class Answering final : public Backend {
 public:
  Answering(std::string name, Status available, Status loads)
      : name_(std::move(name)), available_(std::move(available)), loads_(std::move(loads)) {}
  std::string_view name() const override { return name_; }
  Status available() const override { return available_; }
  Result<std::shared_ptr<const Model>> load(const std::string&,
                                            const ModelOptions&) const override {
    if (!loads_) return loads_;
    return std::shared_ptr<const Model>(std::make_shared<NoModel>(name_));
  }

 private:
  std::string name_;
  Status available_;
  Status loads_;
};

const Status kNone(Code::kUnavailable, "backend.missing", "no such file");
const Status kLacks = unsupported("model.unsupported", "it needs Frobnicate");
const Status kBroken = invalid("model.invalid", "no model");

Result<ChosenBackend> choose(const std::string& wanted, const Backend& native, const Backend& first,
                             const Backend& second) {
  const std::vector<const Backend*> others{&first, &second};
  return choose_backend(wanted, "m.onnx", {}, &native, others);
}

TEST(ChooseBackend, TakesNativeWhereItKnowsEveryOperator) {
  const Answering native("native", {}, {});
  const Answering other("other", {}, {});

  const auto chosen = choose("auto", native, other, other);

  ASSERT_THAT(chosen, IsOk());
  EXPECT_EQ(chosen->model->backend(), "native");
  EXPECT_EQ(chosen->why, "it knows all of the model's operators");
}

TEST(ChooseBackend, TakesTheFirstPluginThatIsThereAndKnowsThemElse) {
  const Answering native("native", {}, kLacks);
  const Answering absent("absent", kNone, {});
  const Answering lacking("lacking", {}, kLacks);
  const Answering able("able", {}, {});

  const auto after_absent = choose("auto", native, absent, able);
  const auto after_lacking = choose("auto", native, lacking, able);

  ASSERT_THAT(after_absent, IsOk());
  ASSERT_THAT(after_lacking, IsOk());
  EXPECT_EQ(after_absent->model->backend(), "able");
  EXPECT_EQ(after_lacking->model->backend(), "able");
  EXPECT_THAT(after_lacking->why, HasSubstr("native cannot run it: it needs Frobnicate"));
}

TEST(ChooseBackend, ListsWhatNativeLacksWhenNobodyTakesTheModel) {
  const Answering native("native", {}, kLacks);
  const Answering absent("absent", kNone, {});
  const Answering lacking("lacking", {}, unsupported("model.unsupported", "Frobnicate what?"));

  const auto chosen = choose("auto", native, absent, lacking);

  EXPECT_THAT(chosen, FailsWith("model.unsupported",
                                "it needs Frobnicate; absent is not there; nor does lacking take "
                                "it: Frobnicate what?"));
}

TEST(ChooseBackend, AsksNobodyElseAboutAFileThatIsBroken) {
  const Answering native("native", {}, kBroken);
  const Answering able("able", {}, {});

  EXPECT_THAT(choose("auto", native, able, able), FailsWith("model.invalid", "no model"));
}

TEST(ChooseBackend, TakesTheOneThatIsNamedOrSaysWhyItCannot) {
  const Answering native("native", {}, {});
  const Answering absent("absent", kNone, {});
  const Answering able("able", {}, {});

  EXPECT_EQ(choose("able", native, absent, able)->model->backend(), "able");
  EXPECT_THAT(choose("absent", native, absent, able), FailsWith("backend.missing", "no such file"));
  EXPECT_THAT(choose("unheard", native, absent, able),
              FailsWith("backend.missing", "backend unheard is not linked"));
}

}  // namespace
}  // namespace sluice
