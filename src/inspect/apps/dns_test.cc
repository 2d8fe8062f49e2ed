// DNS messages as they come over UDP: right ones, and all that is wrong with others.
#include "inspect/apps/dns.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace weir::inspect::apps {
namespace {

using Octets = std::vector<std::byte>;

/// "c0 0c": octets; text in quotes stands for itself, "|" puts a label's length before it.
Octets octets(std::string_view text) {
  Octets out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      ++i;
    } else if (text[i] == '\'' || text[i] == '|') {
      const auto end = text.find(text[i], i + 1);
      const auto inside = text.substr(i + 1, end - i - 1);
      if (text[i] == '|') out.push_back(static_cast<std::byte>(inside.size()));
      for (const char c : inside) out.push_back(static_cast<std::byte>(c));
      i = end + 1;
    } else {
      out.push_back(static_cast<std::byte>(std::stoul(std::string(text.substr(i, 2)), nullptr, 16)));
      i += 2;
    }
  }
  return out;
}

constexpr std::string_view kQuestion = "|www||example| 00 0001 0001 ";

std::string response(unsigned answers, std::string_view rest) {
  return "1234 8180 0001 " + std::string{"000"} + std::to_string(answers) + " 0000 0000 " + std::string(kQuestion) + std::string(rest);
}

TEST(Dns, AChainWithBothFamilies) {
  const auto message = parse_dns(octets(response(3,
                                                 "c00c 0005 0001 0000003c 0006 |cdn| c010 c029 0001 0001 0000001e 0004 c0000207 c029 001c 0001 0000001e 0010 "
                                                 "20010db8000000000000000000000001")));
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->response);
  EXPECT_EQ(message->name, "www.example");
  ASSERT_EQ(message->answers.size(), 3U);
  EXPECT_EQ(message->answers[0].data, "cdn.example");
  EXPECT_EQ(message->answers[1].name, "cdn.example");
  EXPECT_EQ(message->answers[1].addresses, std::vector{*parse_ip_address("192.0.2.7")});
  EXPECT_EQ(message->answers[2].addresses, std::vector{*parse_ip_address("2001:db8::1")});
  EXPECT_EQ(message->answers[2].ttl_s, 30U);
}

TEST(Dns, HintsOfHttps) {
  // Priority 1, target ".", alpn h2, two IPv4 hints and an IPv6 one.
  const auto message = parse_dns(octets(response(1,
                                                 "c00c 0041 0001 0000003c 0030 0001 00 0001 0003 02'h2' 0004 0008 c0000201 c0000202 0006 0010 "
                                                 "20010db8000000000000000000000009 ffff 0002 0000")));
  ASSERT_TRUE(message);
  ASSERT_EQ(message->answers.size(), 1U);
  const std::vector<IpAddress> expected{*parse_ip_address("192.0.2.1"), *parse_ip_address("192.0.2.2"), *parse_ip_address("2001:db8::9")};
  EXPECT_EQ(message->answers[0].addresses, expected);
}

TEST(Dns, PointersThatLeadInACircle) {
  EXPECT_FALSE(parse_dns(octets("1234 0100 0001 0000 0000 0000 c00c 0001 0001"))) << "to itself";
  EXPECT_FALSE(parse_dns(octets("1234 0100 0001 0000 0000 0000 |a| c00c 0001 0001"))) << "ever longer";
  EXPECT_FALSE(parse_dns(octets("1234 0100 0001 0000 0000 0000 c00e c00c 0001 0001"))) << "two of them";
  EXPECT_FALSE(parse_dns(octets("1234 0100 0001 0000 0000 0000 ffff 0001 0001"))) << "behind the end";
  const auto message = parse_dns(octets(response(1, "c00c 0005 0001 0000003c 0002 c029")));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->answers.at(0).data, "") << "a target that is none";
}

TEST(Dns, MalformedAndWhatIsStillRead) {
  EXPECT_FALSE(parse_dns({}));
  EXPECT_FALSE(parse_dns(octets("1234 0100 0000 0000 0000 0000"))) << "no question";
  EXPECT_FALSE(parse_dns(octets("1234 0100 0001 0000 0000 0000 40 00 0001 0001"))) << "a label type that no one uses";
  const auto wrong = parse_dns(octets(response(2, "c00c 0001 0001 0000003c 0003 c00002 c00c 0001 0001 0000003c ffff c0000207")));
  ASSERT_TRUE(wrong);
  ASSERT_EQ(wrong->answers.size(), 1U) << "the second one's length lies behind the end";
  EXPECT_TRUE(wrong->answers[0].addresses.empty()) << "three octets are no address";
}

TEST(Dns, CutAtEveryLengthAndChangedAtEveryOctet) {
  const auto whole = octets(response(2, "c00c 0005 0001 0000003c 0006 |cdn| c010 c029 0041 0001 0000003c 000f 0001 c00c 0004 0008 c0000201 c0000202"));
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));  // its own allocation: sanitizers see what lies behind
    const auto message = parse_dns(cut);
    EXPECT_EQ(message.has_value(), size >= 29) << size;
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const unsigned value : {0U, 0x3fU, 0x40U, 0xc0U, 0xffU}) {
      Octets changed = whole;
      changed[i] = static_cast<std::byte>(value);
      if (const auto message = parse_dns(changed)) {
        EXPECT_LE(message->answers.size(), 2U + 0xffU);
      }
    }
  }
}

}  // namespace
}  // namespace weir::inspect::apps
