#include "sluice/core/template.h"

#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::FailsWith;

std::string expand(std::string_view text, const ItemNames& item) {
  return Template::parse(text)->expand(item);
}

TEST(Template, FillsItsHolesFromTheItem) {
  const ItemNames item{"scans/a.b/page.tar.gz", 12, 3};

  EXPECT_EQ(expand("out/${item.stem}.png", item), "out/page.tar.png");
  EXPECT_EQ(expand("${item.key}|${item.ext}|${item.index}|${item.seq}", item),
            "scans/a.b/page.tar.gz|gz|3|12");
  EXPECT_EQ(expand("no holes", item), "no holes");
}

TEST(Template, WritesADollarSignForTwo) {
  EXPECT_EQ(expand("$$5 $x ${item.seq}$", {"k", 1, 0}), "$5 $x 1$");
}

TEST(Template, RefusesAnOpenHoleAndAnUnknownName) {
  EXPECT_THAT(Template::parse("a${item.stem"), FailsWith("template.syntax", "byte 1"));
  EXPECT_THAT(Template::parse("${item.stm}"), FailsWith("template.name", "item.stem"));
  EXPECT_THAT(Template::parse("${stem}"), FailsWith("template.name", "`${stem}`"));
}

TEST(Template, KnowsWhatItMentions) {
  const Template parsed = *Template::parse("${item.index}-index");

  EXPECT_TRUE(parsed.mentions("index"));
  EXPECT_FALSE(parsed.mentions("stem"));
}

TEST(Template, SplitsNamesWithOddDots) {
  EXPECT_EQ(stem_of("dir.d/.hidden"), ".hidden");
  EXPECT_EQ(extension_of("dir.d/.hidden"), "");
  EXPECT_EQ(stem_of("dir.d/plain"), "plain");
  EXPECT_EQ(extension_of("dir.d/plain"), "");
  EXPECT_EQ(extension_of("a."), "");
  EXPECT_EQ(stem_of(""), "");
}

}  // namespace
}  // namespace sluice
