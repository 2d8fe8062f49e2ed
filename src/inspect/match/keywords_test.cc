// What the keywords of rules mean: on a stream, uncut and cut, and on the parts of transactions.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "inspect/match/connection_matcher.h"
#include "inspect/rules/parse.h"

namespace weir::inspect::match {
namespace {

using namespace std::string_literals;

constexpr TimeNs kSecond = 1'000'000'000;

class Collected : public FoundSink {
 public:
  void on_found(const Found& found) override { sids.push_back(found.rule->sid); }
  std::vector<std::uint32_t> sids;
};

std::shared_ptr<const RuleSet> rules_of(const std::string& text) {
  auto parsed = rules::parse(text, "test.rules", {});
  EXPECT_TRUE(parsed.refusals.empty()) << parsed.refusals[0].keyword << ": " << parsed.refusals[0].why << "\n" << text;
  std::vector<Refused> refused;
  auto set = RuleSet::make(std::move(parsed.rules), Limits{}, nullptr, refused);
  EXPECT_TRUE(refused.empty()) << refused[0].why << "\n" << text;
  return set;
}
std::string rule(const std::string& options, int sid = 1) { return "alert tcp any any -> any any (" + options + " sid:" + std::to_string(sid) + ";)\n"; }

/// A connection in the hands of a matcher.
struct Connection {
  explicit Connection(std::shared_ptr<const RuleSet> rules, Shared& all) : matcher(std::move(rules)), shared(all) {
    facts.endpoints = {*parse_ip_address("10.0.0.1"), *parse_ip_address("192.0.2.2"), 40'000, 80};
  }
  void send(Direction d, std::string_view bytes, TimeNs now = kSecond) {
    auto& at = sent[d == Direction::kToServer ? 0 : 1];
    matcher.data(facts, d, at, std::as_bytes(std::span(bytes)), 0, now, shared, found);
    at += bytes.size();
  }
  void end() {
    matcher.fin(facts, Direction::kToServer, kSecond, shared, found);
    matcher.fin(facts, Direction::kToClient, kSecond, shared, found);
  }
  ConnectionMatcher matcher;
  Shared& shared;
  Facts facts;
  Collected found;
  std::uint64_t sent[2] = {0, 0};
};

bool matches_in_pieces(const std::shared_ptr<const RuleSet>& rules, std::string_view stream, std::size_t piece) {
  Shared shared;
  Connection c(rules, shared);
  for (std::size_t at = 0; at < stream.size(); at += piece) c.send(Direction::kToServer, stream.substr(at, piece));
  c.end();
  EXPECT_FALSE(c.matcher.limited());
  EXPECT_LE(c.found.sids.size(), 1U);
  return !c.found.sids.empty();
}

struct StreamCase {
  const char* options;
  std::string stream;
  bool matches;
};

void check(const StreamCase& c) {
  SCOPED_TRACE(std::string(c.options) + " on " + c.stream);
  const auto set = rules_of(rule(c.options));
  for (const std::size_t piece : {c.stream.size(), std::size_t{1}, std::size_t{3}}) EXPECT_EQ(matches_in_pieces(set, c.stream, piece), c.matches) << piece;
}

TEST(Keywords, ByteExtract) {
  for (const StreamCase& c : std::vector<StreamCase>{
           {R"(content:"len"; byte_extract:1,0,n,relative; content:"end"; distance:n; within:3;)",
            "..len\x03"
            "abcend",
            true},
           {R"(content:"len"; byte_extract:1,0,n,relative; content:"end"; distance:n; within:3;)",
            "..len\x04"
            "abcend",
            false},
           {R"(content:"len"; byte_extract:1,0,n,relative; content:"end"; within:n;)",
            "..len\x06"
            "abcend",
            true},
           {R"(content:"len"; byte_extract:1,0,n,relative; content:"end"; within:n;)",
            "..len\x05"
            "abcend",
            false},
           {R"(byte_extract:1,0,n; content:"x"; offset:n; depth:1;)",
            "\x04"
            "abcxd",
            true},
           {R"(byte_extract:1,0,n; content:"x"; offset:n; depth:1;)",
            "\x03"
            "abcxd",
            false},
           {R"(byte_extract:1,0,n; content:"cx"; depth:n;)",
            "\x05"
            "abcxd",
            true},
           {R"(byte_extract:1,0,n; content:"cx"; depth:n;)",
            "\x04"
            "abcxd",
            false},
           {R"(byte_extract:2,0,n,string,dec; content:"ab"; distance:0; within:2; byte_test:1,=,n,0,relative;)", "12ab\x0c", true},
           {R"(byte_extract:2,0,n,string,dec; content:"ab"; distance:0; within:2; byte_test:1,=,n,0,relative;)", "12ab\x0d", false},
           {R"(byte_extract:1,0,n,multiplier 2,align 4; content:"z"; offset:n; depth:1;)", "\x01...z", true},
           {R"(byte_extract:2,0,n,little; isdataat:!n;)", "\x05\x00...."s, false},
           {R"(byte_extract:2,0,n,little; isdataat:n;)", "\x05\x00...."s, true},
           {R"(byte_extract:2,0,n,little; isdataat:n;)", "\x06\x00...."s, false},
           {R"(content:"a"; byte_extract:1,0,n,relative; byte_jump:1,n,relative; content:"q"; within:1;)", "a\x02..\x01.q", true},
           {R"(content:"a"; byte_extract:1,0,n,relative; byte_jump:1,n,relative; content:"q"; within:1;)", "a\x02..\x02.q", false},
           // each place of the first content has its own number
           {R"(content:"L"; byte_extract:1,0,n,relative; content:"E"; distance:n; within:1;)", "L\x09.L\x02..E", true},
           {R"(content:"L"; byte_extract:1,0,n,relative; content:!"E"; distance:n; within:1;)", "L\x02..E", false},
           {R"(content:"L"; byte_extract:1,0,n,relative; content:"E"; distance:n; content:"F"; distance:n;)", "L\x02..E..F", true},
           {R"(content:"L"; byte_extract:1,0,n,relative; content:"E"; distance:n; content:"F"; distance:n;)", "L\x02..E.F", false},
       })
    check(c);
}

TEST(Keywords, ByteMath) {
  for (
      const StreamCase& c : std::vector<StreamCase>{
          {R"(byte_math:bytes 1, offset 0, oper +, rvalue 2, result n; content:"x"; offset:n; depth:1;)", "\x01..x", true},
          {R"(byte_math:bytes 1, offset 0, oper -, rvalue 2, result n; content:"x"; offset:n; depth:1;)", "\x05..x", true},
          {R"(byte_math:bytes 1, offset 0, oper *, rvalue 3, result n; content:"x"; offset:n; depth:1;)", "\x01..x", true},
          {R"(byte_math:bytes 1, offset 0, oper /, rvalue 2, result n; content:"x"; offset:n; depth:1;)", "\x07..x", true},
          {R"(byte_math:bytes 1, offset 0, oper <<, rvalue 1, result n; content:"x"; offset:n; depth:1;)", "\x02...x", true},
          {R"(byte_math:bytes 1, offset 0, oper >>, rvalue 1, result n; content:"x"; offset:n; depth:1;)", "\x02...x", false},
          {R"(byte_math:bytes 1, offset 0, oper +, rvalue 0, result n, bitmask 0xf0; content:"x"; offset:n; depth:1;)", "\x1fx..x", true},
          {R"(content:"h"; byte_extract:1,0,a,relative; byte_math:bytes 1, offset 0, oper +, rvalue a, result b, relative; content:"x"; distance:b; within:1;)",
           "h\x01\x02...x", true},
          {R"(content:"h"; byte_extract:1,0,a,relative; byte_math:bytes 1, offset 0, oper /, rvalue a, result b, relative; content:"x"; distance:b; within:1;)",
           "h\x00\x02...x"s, false},
      })
    check(c);
}

TEST(Keywords, Base64) {
  // "attack at dawn" is YXR0YWNrIGF0IGRhd24=
  for (const StreamCase& c : std::vector<StreamCase>{
           {R"(content:"auth="; base64_decode:relative; base64_data; content:"attack"; startswith; content:"dawn"; endswith;)", "x auth=YXR0YWNrIGF0IGRhd24=;",
            true},
           {R"(content:"auth="; base64_decode:relative; base64_data; content:"defend";)", "x auth=YXR0YWNrIGF0IGRhd24=;", false},
           {R"(content:"auth="; base64_decode:bytes 8, offset 0, relative; base64_data; content:"attack"; endswith;)", "auth=YXR0YWNrIGF0IGRhd24=", true},
           {R"(content:"auth="; base64_decode:bytes 8, relative; base64_data; content:"dawn";)", "auth=YXR0YWNrIGF0IGRhd24=", false},
           {R"(base64_decode:offset 2; base64_data; content:"at"; offset:7; depth:2;)", "..YXR0YWNrIGF0IGRhd24", true},
           {R"(content:"auth="; base64_decode:relative; base64_data; pcre:"/^at+ack\s/"; content:"at"; distance:0;)", "auth=YXR0YWNrIGF0IGRhd24=\n", true},
           {R"(content:"auth="; base64_decode:relative; base64_data; content:"a";)", "auth=*", false},
           // the second place where it can begin
           {R"(content:"auth="; base64_decode:relative; base64_data; content:"attack";)", "auth=AAAA; auth=YXR0YWNr ", true},
           {R"(content:"auth="; base64_decode:relative; base64_data; content:"attack"; pkt_data; content:"end";)", "auth=YXR0YWNr end", true},
           {R"(content:"auth="; base64_decode:relative; base64_data; content:"attack"; pkt_data; content:"end";)", "auth=YXR0YWNr", false},
       })
    check(c);
}

TEST(Keywords, FlowInt) {
  const auto set = rules_of(rule("content:\"fail\"; flowint:n,notset; flowint:n,=,1; noalert;", 1) +
                            rule("content:\"fail\"; flowint:n,isset; flowint:n,+,1; noalert;", 2) + rule("content:\"fail\"; flowint:n,>=,4;", 3));
  for (const std::size_t piece : {100U, 1U}) {
    Shared shared;
    Connection c(set, shared);
    for (int i = 0; i < 2; ++i) {
      const std::string text = "fail...";
      for (std::size_t at = 0; at < text.size(); at += piece) c.send(Direction::kToServer, text.substr(at, piece));
      EXPECT_TRUE(c.found.sids.empty());
    }
    for (int i = 0; i < 3; ++i) c.send(Direction::kToServer, "fail");
    EXPECT_EQ(c.found.sids, std::vector<std::uint32_t>{3}) << "once a connection and direction";
  }
}

TEST(Keywords, XBits) {
  const auto set =
      rules_of(rule("content:\"scan\"; xbits:set,seen,track ip_src,expire 10; noalert;", 1) + rule("content:\"login\"; xbits:isset,seen,track ip_src;", 2) +
               rule("content:\"login\"; xbits:isnotset,seen,track ip_src;", 3) + rule("content:\"bye\"; xbits:unset,seen,track ip_src; noalert;", 4) +
               rule("content:\"pair\"; xbits:set,p,track ip_pair; noalert;", 5) + rule("content:\"reply\"; xbits:isset,p,track ip_pair;", 6));
  Shared shared;
  const auto told = [&](std::string_view bytes, TimeNs now, Direction d = Direction::kToServer) {
    Connection c(set, shared);
    c.send(d, bytes, now);
    return c.found.sids;
  };
  using Sids = std::vector<std::uint32_t>;
  EXPECT_EQ(told("login", kSecond), Sids{3});
  EXPECT_EQ(told("scan", kSecond), Sids{});
  EXPECT_EQ(told("login", 5 * kSecond), Sids{2});
  EXPECT_EQ(told("login", 12 * kSecond), Sids{3}) << "its time is over";
  EXPECT_EQ(told("scan", 20 * kSecond), Sids{});
  EXPECT_EQ(told("login", 21 * kSecond, Direction::kToClient), Sids{3}) << "the sender is another host";
  EXPECT_EQ(told("bye", 21 * kSecond), Sids{});
  EXPECT_EQ(told("login", 21 * kSecond), Sids{3});
  EXPECT_EQ(told("pair", 30 * kSecond), Sids{});
  EXPECT_EQ(told("reply", 31 * kSecond, Direction::kToClient), Sids{6});
}

TEST(Keywords, XBitsAreBounded) {
  HostBits bits;
  rules::XBits set{rules::XBits::Operation::kSet, rules::XBits::Track::kSource, "x", 10};
  rules::XBits asks = set;
  asks.operation = rules::XBits::Operation::kIsSet;
  const auto from = [](const char* address) { return Endpoints{*parse_ip_address(address), *parse_ip_address("192.0.2.1"), 1, 2}; };
  bits.apply(set, from("10.0.0.1"), kSecond, 2);
  bits.apply(set, from("10.0.0.2"), 5 * kSecond, 2);
  bits.apply(set, from("10.0.0.3"), 6 * kSecond, 2);
  EXPECT_EQ(bits.dropped(), 1U);
  EXPECT_FALSE(bits.holds(asks, from("10.0.0.3"), 6 * kSecond));
  bits.apply(set, from("10.0.0.3"), 12 * kSecond, 2);
  EXPECT_EQ(bits.dropped(), 1U) << "the first one's time is over";
  EXPECT_TRUE(bits.holds(asks, from("10.0.0.3"), 12 * kSecond));
  EXPECT_TRUE(bits.holds(asks, from("10.0.0.2"), 12 * kSecond));
}

TEST(Keywords, FlowBitThatIsTakenBackIsSetAgain) {
  const auto set = rules_of(rule("content:\"open\"; flowbits:set,o; noalert;", 1) + rule("content:\"shut\"; flowbits:unset,o; noalert;", 2) +
                            rule("content:\"use\"; flowbits:isset,o;", 3));
  Shared shared;
  Connection c(set, shared);
  c.send(Direction::kToServer, "open shut use ");
  EXPECT_TRUE(c.found.sids.empty());
  c.send(Direction::kToServer, "open use ");
  EXPECT_EQ(c.found.sids, std::vector<std::uint32_t>{3});
}

TEST(Keywords, StreamSize) {
  const auto set = rules_of(rule("content:\"x\"; stream_size:server,=,1;", 1) + rule("content:\"x\"; stream_size:client,>,5;", 2) +
                            rule("content:\"x\"; stream_size:both,>,3;", 3) + rule("content:\"x\"; stream_size:either,>=,7;", 4));
  Shared shared;
  Connection c(set, shared);
  c.send(Direction::kToServer, "x..");
  EXPECT_EQ(c.found.sids, std::vector<std::uint32_t>{1});
  c.send(Direction::kToClient, "......");
  c.send(Direction::kToServer, "x.");
  EXPECT_EQ(std::multiset<std::uint32_t>(c.found.sids.begin(), c.found.sids.end()), (std::multiset<std::uint32_t>{1, 2, 3, 4}));
}

TEST(Keywords, AppLayerProtocol) {
  const auto set = rules_of(rule("content:\"x\"; app-layer-protocol:!http;", 1) + rule("content:\"x\"; app-layer-protocol:failed;", 2) +
                            rule("content:\"x\"; app-layer-protocol:tls;", 3));
  for (const auto& [spoken, expected] :
       {std::pair(AppProtocol::kHttp, std::vector<std::uint32_t>{}), {AppProtocol::kTls, {1, 3}}, {AppProtocol::kFailed, {1, 2}}}) {
    Shared shared;
    Connection c(set, shared);
    c.send(Direction::kToServer, "x");
    EXPECT_TRUE(c.found.sids.empty()) << "it is not known yet";
    c.facts.protocol = spoken;
    c.matcher.protocol_known(c.facts, kSecond, shared, c.found);
    EXPECT_EQ(c.found.sids, expected);
  }
}

using Buffers = std::multimap<Buffer, std::string>;

bool matches(const std::string& options, Stage stage, const Buffers& buffers) {
  const auto set = rules_of("alert tcp any any -> any any (" + options + " sid:1;)");
  Transaction t;
  for (const auto& [buffer, text] : buffers) {
    const Transaction::Part part{std::as_bytes(std::span(text)), {}, true};
    if (t.part(buffer).present) {
      t.further.emplace_back(buffer, part);
    } else {
      t.part(buffer) = part;
    }
  }
  Shared shared;
  Connection c(set, shared);
  c.facts.protocol = AppProtocol::kHttp;
  c.matcher.stage(c.facts, stage, t, kSecond, shared, c.found);
  return !c.found.sids.empty();
}

bool of_uri(const std::string& options, const std::string& uri) { return matches("http.uri; " + options, Stage::kRequestHeaders, {{Buffer::kHttpUri, uri}}); }

TEST(Keywords, Transformations) {
  EXPECT_TRUE(of_uri("dotprefix; content:\".a\"; startswith;", "a.b"));
  EXPECT_TRUE(of_uri("to_lowercase; content:\"abc\";", "/ABC"));
  EXPECT_FALSE(of_uri("content:\"abc\";", "/ABC"));
  EXPECT_TRUE(of_uri("to_uppercase; content:\"ABC\"; endswith;", "/abc"));
  EXPECT_TRUE(of_uri("strip_whitespace; bsize:3; content:\"abc\";", " a\tb\r\nc "));
  EXPECT_TRUE(of_uri("compress_whitespace; bsize:5; content:\" a b \";", "  a \t b  "));
  EXPECT_TRUE(of_uri("to_md5; bsize:16; content:\"|900150983cd24fb0d6963f7d28e17f72|\";", "abc"));
  EXPECT_TRUE(of_uri("to_sha1; bsize:20; content:\"|a9993e364706816aba3e25717850c26c9cd0d89d|\";", "abc"));
  EXPECT_TRUE(of_uri("to_sha256; content:\"|ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad|\";", "abc"));
  EXPECT_TRUE(of_uri("url_decode; content:\"a b|00|c%zz%4\"; bsize:10;", "a+b%00c%zz%4"));
  EXPECT_TRUE(of_uri("xor:\"0102\"; content:\"abc\"; bsize:3;", "``b"));
  EXPECT_TRUE(of_uri("pcrexform:\"id=(\\d+)\"; bsize:3; content:\"123\";", "/x?id=123&y"));
  EXPECT_TRUE(of_uri("pcrexform:\"id=(\\d+)\"; content:\"/x?y\"; bsize:4;", "/x?y")) << "without a match it stays";
  EXPECT_TRUE(of_uri("strip_whitespace; to_lowercase; content:\"ab\"; bsize:2;", "A B")) << "one after the other";
  EXPECT_FALSE(of_uri("content:\"A\"; http.uri; to_lowercase; content:\"A\";", "A")) << "each time it is named with its own";
  const Buffers head{{Buffer::kHttpRequestHeader, "Host: A.B\r\n:path: /X\r\nUser-Agent: C:D\r\n"}};
  EXPECT_TRUE(matches("http.header; header_lowercase; content:\"host: A.B|0d 0a|\"; content:\"user-agent: C:D\";", Stage::kRequestHeaders, head));
  EXPECT_TRUE(matches("http.header; strip_pseudo_headers; content:\"A.B|0d 0a|User\"; content:!\"path\";", Stage::kRequestHeaders, head));
}

TEST(Keywords, Absent) {
  const Buffers bare{{Buffer::kHttpUri, "/a"}};
  const Buffers referred{{Buffer::kHttpUri, "/a"}, {Buffer::kHttpReferer, "x"}};
  const std::string absent = "http.uri; content:\"/a\"; http.referer; absent;";
  EXPECT_TRUE(matches(absent, Stage::kRequestHeaders, bare));
  EXPECT_FALSE(matches(absent, Stage::kRequestHeaders, referred));
  const std::string or_else = "http.uri; content:\"/a\"; http.referer; absent:or_else; content:!\"x\";";
  EXPECT_TRUE(matches(or_else, Stage::kRequestHeaders, bare));
  EXPECT_FALSE(matches(or_else, Stage::kRequestHeaders, referred));
  EXPECT_TRUE(matches("http.referer; absent:or_else; content:\"x\";", Stage::kRequestHeaders, referred));
}

TEST(Keywords, BuffersThatThereAreSeveralOf) {
  const Buffers two{{Buffer::kHttpRequestHeaderEach, "Host: a"}, {Buffer::kHttpRequestHeaderEach, "Via: b"}};
  const auto holds = [&](const std::string& options) { return matches(options, Stage::kRequestHeaders, two); };
  EXPECT_TRUE(holds("http.request_header; content:\"Via\"; startswith; content:\"b\"; endswith;"));
  EXPECT_FALSE(holds("http.request_header; content:\"Host\"; content:\"b\";")) << "of one of them";
  EXPECT_TRUE(holds("http.request_header; content:\"Host\"; http.request_header; content:\"b\";")) << "of one each";
}

TEST(Keywords, Files) {
  const auto of_size = [](std::uint64_t n) {
    std::string out;
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(n >> shift & 0xffU);
    return out;
  };
  const Buffers file{{Buffer::kResponseFileName, "Report.EXE"}, {Buffer::kResponseFileSize, of_size(5000)}, {Buffer::kResponseFileData, "MZ..."}};
  const auto holds = [&](const std::string& options) { return matches("flow:to_client; " + options, Stage::kResponseFile, file); };
  const auto in_body = [&](const std::string& options) { return matches("flow:to_client; " + options, Stage::kResponseBody, file); };
  EXPECT_TRUE(in_body("fileext:\"exe\";"));
  EXPECT_FALSE(in_body("fileext:\"xe\";"));
  EXPECT_FALSE(in_body("fileext:!\"exe\";"));
  EXPECT_TRUE(in_body("filename:\"report\";"));
  EXPECT_TRUE(in_body("file.name; content:\"Report\"; startswith; file.data; content:\"MZ\"; startswith;"));
  EXPECT_TRUE(in_body("file.data; content:\"MZ\"; filestore;"));
  EXPECT_FALSE(matches("flow:to_client; file.data; content:\"MZ\"; filestore;", Stage::kResponseBody, {{Buffer::kResponseFileData, "MZ"}}));
  EXPECT_TRUE(holds("filesize:5000;"));
  EXPECT_TRUE(holds("filesize:>4KB; file.data; content:\"MZ\";"));
  EXPECT_FALSE(holds("filesize:<4KB;"));
  EXPECT_TRUE(holds("filesize:1KB<>1MB;"));
}

TEST(Keywords, TlsVersions) {
  const Buffers hello{{Buffer::kTlsServerVersion, "\x03\x01"s}};
  const auto holds = [&](const std::string& options) { return matches("flow:to_client; " + options, Stage::kServerHello, hello); };
  EXPECT_TRUE(holds("tls.version:1.0;"));
  EXPECT_FALSE(holds("tls.version:\"1.2\";"));
  EXPECT_TRUE(holds("ssl_version:sslv3,tls1.0;"));
  EXPECT_FALSE(holds("ssl_version:!tls1.0,!sslv3;"));
  EXPECT_TRUE(holds("ssl_version:!tls1.2;"));
  EXPECT_TRUE(holds("ssl_state:server_hello;"));
  EXPECT_FALSE(holds("ssl_state:client_hello;"));
}

TEST(Keywords, ModifiersTakeWhatIsRelativeAlong) {
  EXPECT_TRUE(matches("content:\".php\"; http_uri; isdataat:!1,relative;", Stage::kRequestHeaders, {{Buffer::kHttpUri, "/a.php"}}));
  EXPECT_FALSE(matches("content:\".php\"; http_uri; isdataat:!1,relative;", Stage::kRequestHeaders, {{Buffer::kHttpUri, "/a.php?"}}));
  EXPECT_TRUE(matches("uricontent:\".php\"; byte_test:1,=,63,0,relative;", Stage::kRequestHeaders, {{Buffer::kHttpUri, "/a.php?"}}));
  EXPECT_TRUE(matches("content:\"Basic \"; http_header; base64_decode:relative; base64_data; content:\"user:\"; startswith;", Stage::kRequestHeaders,
                      {{Buffer::kHttpRequestHeader, "Authorization: Basic dXNlcjpwYXNz\r\n"}}));
}

}  // namespace
}  // namespace weir::inspect::match
