#include "sluice/nodes/image/tensor_options.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {
namespace {

double at_channel(const NumberList& numbers, std::size_t channel) {
  return channel < numbers.size() ? numbers[channel] : numbers[0];
}

}  // namespace

Spec TensorOptions::added_to(const Spec& spec) const {
  return spec.options(width, height, fit, max_width, short_side, long_side, multiple_of, layout,
                      channels, mean, std_dev, filter);
}

Ports TensorOptions::resolve(Resolve& plan, std::size_t out) const {
  check_sizes(plan);
  const std::size_t planes = plan.option(channels).word == "grey" ? 1 : 3;
  for (const auto* numbers : {&mean, &std_dev}) {
    const std::size_t given = plan.option(*numbers).size();
    if (given != 1 && given != planes) {
      plan.option_problem(
          *numbers, "SL0207", "`" + numbers->name() + "` has " + std::to_string(given) + " numbers",
          "give one, or one for each of the " + std::to_string(planes) + " channels");
    }
  }
  const auto side = [&](const Option<int>& option, const char* symbol) -> Dim {
    return plan.has(option) ? Dim{plan.option(option), ""} : Dim{-1, symbol};
  };
  const Dim c{static_cast<std::int64_t>(planes), ""};
  const Dim h = side(height, "H");
  const Dim w = side(width, "W");
  const std::string& axes = plan.option(layout).word;
  Ports ports = plan.declared();
  ports.outputs[out].type.tensor =
      TensorType{DType::kF32, axes == "chw" ? std::vector{c, h, w} : std::vector{h, w, c}, axes};
  return ports;
}

bool TensorOptions::suits_device(Resolve& plan) const {
  bool suits = true;
  const auto only_takes = [&](const Option<Choice>& option,
                              std::initializer_list<std::string_view> words) {
    const std::string& word = plan.option(option).word;
    if (std::ranges::find(words, word) != words.end()) return;
    suits = false;
    if (plan.common().device_is_chosen) return;
    plan.option_problem(option, "SL0510",
                        "`" + option.name() + ": " + word + "` is computed on the CPU",
                        "leave `device:` away, or say another `" + option.name() + "`");
  };
  only_takes(fit, {"stretch"});
  only_takes(channels, {"rgb", "bgr"});
  only_takes(filter, {"bilinear", "antialias"});
  return suits;
}

TensorRecipe TensorOptions::recipe(const Context& ctx) const {
  const auto side = [&](const Option<int>& option) {
    return ctx.has_option(option) ? static_cast<int>(ctx.option(option)) : 0;
  };
  TensorRecipe recipe;
  recipe.width = side(width);
  recipe.height = side(height);
  recipe.max_width = side(max_width);
  recipe.short_side = side(short_side);
  recipe.long_side = side(long_side);
  recipe.multiple_of = static_cast<int>(ctx.option(multiple_of));
  const std::string& how = ctx.option(fit).word;
  recipe.fit = how == "crop" ? Fit::kCrop : how == "pad" ? Fit::kPad : Fit::kStretch;
  recipe.is_planar = ctx.option(layout).word == "chw";
  const std::string& order = ctx.option(channels).word;
  recipe.colours = order == "grey"  ? Colours::kGrey
                   : order == "bgr" ? Colours::kBgr
                                    : Colours::kRgb;
  const std::string& by = ctx.option(filter).word;
  recipe.filter = by == "antialias" ? Filter::kAntialias
                  : by == "area"    ? Filter::kArea
                  : by == "cubic"   ? Filter::kCubic
                  : by == "nearest" ? Filter::kNearest
                                    : Filter::kBilinear;
  for (std::size_t c = 0; c < recipe.scales.size(); ++c) {
    const double deviation = at_channel(ctx.option(std_dev), c);
    recipe.scales[c] = {static_cast<float>(1.0 / (255.0 * deviation)),
                        static_cast<float>(-at_channel(ctx.option(mean), c) / deviation)};
  }
  return recipe;
}

void TensorOptions::check_sizes(Resolve& plan) const {
  const bool fixed = plan.has(width) && plan.has(height);
  const bool one = plan.has(width) != plan.has(height);
  const bool crops = plan.option(fit).word == "crop";
  if (!fixed && plan.option(fit).word != "stretch") {
    plan.option_problem(fit, "SL0221", "`fit` needs both `width` and `height`",
                        "give both, or leave `fit` out");
  }
  if (plan.has(max_width) && (plan.has(width) || !plan.has(height))) {
    plan.option_problem(max_width, "SL0221", "`max_width` goes with `height` and without `width`",
                        "");
  }
  if (plan.has(short_side) && (one || (fixed && !crops))) {
    plan.option_problem(short_side, "SL0221", "`short_side` and a fixed side contradict each other",
                        "leave one out; with width and height, `short_side` needs `fit: crop`");
  }
  if (plan.has(short_side) && fixed && crops &&
      plan.option(short_side) < std::max(plan.option(width), plan.option(height))) {
    plan.option_problem(short_side, "SL0221", "`short_side` is less than the part that is cropped",
                        "make it at least the larger of width and height");
  }
  if (plan.has(long_side) && (one || fixed)) {
    plan.option_problem(long_side, "SL0221", "`long_side` and a fixed side contradict each other",
                        "leave one out");
  }
  if (plan.option(multiple_of) != 1 && (one || fixed)) {
    plan.option_problem(multiple_of, "SL0221",
                        "`multiple_of` and a fixed side contradict each other", "leave one out");
  }
}
}  // namespace sluice
