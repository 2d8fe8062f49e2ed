#include "web/token.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace weir::web {
namespace {

constexpr std::string_view kToken = "0123456789abcdef";

class TokenFile : public testing::Test {
 protected:
  TokenFile() : path_(testing::TempDir() + "weir_token_" + std::to_string(::getpid())) {}
  ~TokenFile() override { std::filesystem::remove(path_); }

  auto read(std::string_view text, mode_t mode) const {
    std::filesystem::remove(path_);
    std::ofstream(path_) << text;
    ::chmod(path_.c_str(), mode);
    return read_token_file(path_);
  }

  std::string path_;
};

TEST_F(TokenFile, HasOneLine) {
  EXPECT_EQ(read(kToken, 0600).value(), kToken);
  EXPECT_EQ(read(std::string(kToken) + "\n", 0440).value(), kToken);
  for (const std::string& bad : {std::string(), std::string("short\n"), std::string(kToken) + "\n" + std::string(kToken), std::string(kToken) + " \n",
                                 std::string(kMostToken + 1, 'a'), std::string(100'000, 'a'), std::string(20, '\0')}) {
    const auto got = read(bad, 0600);
    ASSERT_FALSE(got) << bad;
    EXPECT_TRUE(got.error().why.starts_with("is no token")) << got.error().why;
  }
}

TEST_F(TokenFile, IsASecret) {
  for (const mode_t mode : {mode_t{0604}, mode_t{0602}, mode_t{0644}, mode_t{0601}}) {
    const auto got = read(kToken, mode);
    ASSERT_FALSE(got) << mode;
    EXPECT_NE(got.error().why.find("by others"), std::string::npos);
    EXPECT_EQ(got.error().why.find(kToken), std::string::npos);
  }
  EXPECT_FALSE(read(kToken, 0660));
  EXPECT_EQ(read_token_file(testing::TempDir()).error().why, "is no file");
  EXPECT_FALSE(read_token_file(path_ + ".not_there"));
}

TEST(Token, IsTheWholeOne) {
  EXPECT_TRUE(has_token("Bearer 0123456789abcdef", kToken));
  EXPECT_TRUE(has_token("bearer 0123456789abcdef", kToken));
  for (const char* wrong : {"", "Bearer", "Bearer ", "0123456789abcdef", "Basic 0123456789abcdef", "Bearer 0123456789abcde", "Bearer 0123456789abcdeg",
                            "Bearer 0123456789abcdef0", "Bearer  0123456789abcdef"})
    EXPECT_FALSE(has_token(wrong, kToken)) << wrong;
  EXPECT_FALSE(has_token("Bearer ", ""));
}

}  // namespace
}  // namespace weir::web
