#include "report/json.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <limits>

namespace weir::report {
namespace {

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(JsonString, EscapesWhatRfc8259Says) {
  EXPECT_EQ(json_text("plain"), "\"plain\"");
  EXPECT_EQ(json_text(""), "\"\"");
  EXPECT_EQ(json_text("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(json_text("\n\r\t"), "\"\\n\\r\\t\"");
  EXPECT_EQ(json_text(std::string_view("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\\u007f\"");
}

TEST(JsonString, KeepsUtf8AndMendsWhatIsNot) {
  EXPECT_EQ(json_text("é€𝄞"), "\"é€𝄞\"");
  const char* const kReplacement = "\"\xef\xbf\xbd\"";
  EXPECT_EQ(json_text("\xff"), kReplacement);
  EXPECT_EQ(json_text("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"") << "overlong";
  EXPECT_EQ(json_text("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"") << "surrogate";
  EXPECT_EQ(json_text("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"") << "cut off";
  EXPECT_EQ(json_text("\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"") << "past U+10FFFF";
}

// Boost.JSON is the judge: every string of two octets gives a JSON text, and ASCII comes back as it was.
TEST(JsonString, EveryPairOfOctetsIsValid) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string text{static_cast<char>(a), static_cast<char>(b)};
      boost::json::error_code error;
      const auto value = boost::json::parse(json_text(text), error);
      ASSERT_FALSE(error) << a << " " << b;
      if (a < 128 && b < 128) {
        ASSERT_EQ(value.as_string(), text);
      }
    }
  }
}

TEST(JsonWriter, NestsAndSeparates) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("a", 1).field("b", true).key("c").begin_array().value("x").value(-2).begin_object().end_object().end_array();
  json.key("d").null().field("e", std::string("y")).key("f").begin_array().end_array().field("g", std::uint8_t{7}).end_object();
  EXPECT_EQ(out, R"({"a":1,"b":true,"c":["x",-2,{}],"d":null,"e":"y","f":[],"g":7})");
}

TEST(JsonWriter, WritesTheLargestNumbers) {
  std::string out;
  JsonWriter(out).begin_array().value(std::numeric_limits<std::uint64_t>::max()).value(std::numeric_limits<std::int64_t>::min()).end_array();
  EXPECT_EQ(out, "[18446744073709551615,-9223372036854775808]");
}

}  // namespace
}  // namespace weir::report
