// Applications over a stream: what is told does not depend on where the stream is cut.
#include "inspect/apps/application.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <zlib.h>

#include <map>
#include <string>
#include <vector>

#include "inspect/apps/digest.h"

namespace weir::inspect::apps {
namespace {

std::string text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// What was told, as text that can be compared.
class Told : public Sink {
 public:
  void on_stage(Stage stage, const Transaction& t, TimeNs) override {
    for (std::size_t b = 0; b < t.parts.size(); ++b) {
      const auto& part = t.parts[b];
      if (!part.present || kBufferTable[b].stage != stage) continue;
      buffers[{t.number, static_cast<Buffer>(b)}] = text_of(part.bytes);
      raw[{t.number, static_cast<Buffer>(b)}] = part.raw;
      each[{t.number, static_cast<Buffer>(b)}] = {text_of(part.bytes)};
    }
    for (const auto& [buffer, part] : t.further) {
      if (info_of(buffer).stage == stage) each[{t.number, buffer}].push_back(text_of(part.bytes));
    }
    log += "stage " + std::to_string(static_cast<int>(stage)) + " of " + std::to_string(t.number) + "\n";
  }
  void on_http(const HttpRecord& r) override {
    http.push_back(r);
    log += "http " + r.method + " " + r.hostname + r.url + " " + std::to_string(r.status.value_or(0)) + " " + std::to_string(r.response_bytes) + "\n";
  }
  void on_tls(const TlsRecord& r) override {
    tls.push_back(r);
    log += "tls " + r.sni + " " + r.version + " " + r.ja3_hash + " " + r.ja4 + "\n";
  }
  void on_file(const FileRecord& r) override {
    files.push_back(r);
    log += "file " + r.name + " " + r.sha256 + " " + std::to_string(r.bytes) + "\n";
  }
  void on_dns(const DnsRecord& r) override {
    dns.push_back(r);
    log += "dns " + r.name + " " + r.type + " " + (r.answers.empty() ? "" : r.answers[0].data) + "\n";
  }

  std::map<std::pair<std::uint64_t, Buffer>, std::string> buffers;
  std::map<std::pair<std::uint64_t, Buffer>, StreamRange> raw;
  std::map<std::pair<std::uint64_t, Buffer>, std::vector<std::string>> each;  ///< with those that there are several of
  std::vector<HttpRecord> http;
  std::vector<TlsRecord> tls;
  std::vector<FileRecord> files;
  std::vector<DnsRecord> dns;
  std::string log;
};

struct Said {
  Direction direction;
  std::string text;
};
constexpr auto kUp = Direction::kToServer;
constexpr auto kDown = Direction::kToClient;

Told read(const std::vector<Said>& talk, std::size_t piece, bool close = true) {
  Told told;
  const ApplicationSettings settings(Limits{}, true, true);
  Application application;
  std::uint64_t at[2] = {0, 0};
  for (const Said& said : talk) {
    for (std::size_t i = 0; i < said.text.size(); i += piece) {
      const auto part = std::string_view(said.text).substr(i, piece);
      if (!application.done()) application.data(settings, said.direction, at[index(said.direction)], std::as_bytes(std::span(part)), 1, told);
      at[index(said.direction)] += part.size();
    }
  }
  if (close) {
    application.fin(settings, kUp, 2, told);
    application.fin(settings, kDown, 2, told);
  }
  application.end(settings, 2, told);
  return told;
}

std::string gzip(const std::string& text) {
  z_stream z{};
  deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 100, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

const std::string kBody = "all work and no play " + std::string(5'000, 'x') + " end";

std::vector<Said> browsing() {
  const std::string packed = gzip(kBody);
  return {{kUp,
           "GET /a%20b/file.txt?q=1 HTTP/1.1\r\nHost: WWW.Example.org:8080\r\nUser-Agent: test/1\r\nCookie: k=v\r\n\r\nPOST /form HTTP/1.1\r\nHost: "
           "www.example.org\r\nContent-Length: 11\r\n\r\nhello=world"},
          {kDown, "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Type: text/plain; charset=x\r\nContent-Encoding: gzip\r\nContent-Length: " +
                      std::to_string(packed.size()) + "\r\n\r\n" + packed},
          {kDown, "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nlost\r\n6;x=y\r\n indee\r\n0\r\n\r\n"}};
}

TEST(Applications, HttpRequestsResponsesAndFiles) {
  const Told told = read(browsing(), 100'000);
  ASSERT_EQ(told.http.size(), 2U);
  EXPECT_EQ(told.http[0].hostname, "WWW.Example.org");
  EXPECT_EQ(told.http[0].port, 8080);
  EXPECT_EQ(told.http[0].url, "/a%20b/file.txt?q=1");
  EXPECT_EQ(told.http[0].content_type, "text/plain");
  EXPECT_EQ(told.http[0].status, 200U);
  EXPECT_EQ(told.http[0].response_bytes, kBody.size());
  EXPECT_EQ(told.http[1].method, "POST");
  EXPECT_EQ(told.http[1].status, 404U);
  EXPECT_EQ(told.http[1].request_bytes, 11U);
  ASSERT_FALSE(told.files.empty());
  bool found = false;
  for (const FileRecord& f : told.files) {
    if (f.name != "file.txt") continue;
    found = true;
    EXPECT_TRUE(f.complete);
    EXPECT_EQ(f.bytes, kBody.size());
    EXPECT_EQ(f.sha256, digest(EVP_sha256(), kBody));
  }
  EXPECT_TRUE(found);
}

TEST(Applications, HttpBuffers) {
  Told told = read(browsing(), 100'000);
  const auto buffer = [&](std::uint64_t number, Buffer b) { return told.buffers[{number, b}]; };
  EXPECT_EQ(buffer(0, Buffer::kHttpMethod), "GET");
  EXPECT_EQ(buffer(0, Buffer::kHttpUri), "/a b/file.txt?q=1");
  EXPECT_EQ(buffer(0, Buffer::kHttpUriRaw), "/a%20b/file.txt?q=1");
  EXPECT_EQ(buffer(0, Buffer::kHttpHost), "www.example.org");
  EXPECT_EQ(buffer(0, Buffer::kHttpHostRaw), "WWW.Example.org:8080");
  EXPECT_EQ(buffer(0, Buffer::kHttpUserAgent), "test/1");
  EXPECT_EQ(buffer(0, Buffer::kHttpRequestCookie), "k=v");
  EXPECT_EQ(buffer(0, Buffer::kHttpRequestHeader), "Host: WWW.Example.org:8080\r\nUser-Agent: test/1\r\n");
  EXPECT_EQ(buffer(0, Buffer::kHttpRequestHeaderNames), "\r\nHost\r\nUser-Agent\r\nCookie\r\n\r\n");
  EXPECT_EQ(buffer(0, Buffer::kHttpStatCode), "200");
  EXPECT_EQ(buffer(0, Buffer::kResponseFileData), kBody);
  EXPECT_EQ(buffer(1, Buffer::kHttpRequestBody), "hello=world");
  EXPECT_EQ(buffer(1, Buffer::kHttpResponseBody), "lost indee");
  EXPECT_EQ((told.each[{0, Buffer::kHttpRequestHeaderEach}]), (std::vector<std::string>{"Host: WWW.Example.org:8080", "User-Agent: test/1", "Cookie: k=v"}));
  EXPECT_EQ(buffer(0, Buffer::kResponseFileName), "file.txt");
  EXPECT_EQ(buffer(0, Buffer::kResponseFileSize), std::string("\0\0\0\0\0\0", 6) + static_cast<char>(kBody.size() >> 8U) + static_cast<char>(kBody.size()));
  // Where the raw bytes are: what mptcp.split asks.
  const std::string up = browsing()[0].text;
  const StreamRange host = told.raw[{0, Buffer::kHttpHost}];
  EXPECT_EQ(up.substr(host.first, host.end - host.first), "WWW.Example.org");
  const StreamRange body = told.raw[{1, Buffer::kHttpRequestBody}];
  EXPECT_EQ(up.substr(body.first, body.end - body.first), "hello=world");
}

TEST(Applications, WhereTheCutsLieMakesNoDifference) {
  for (const auto& talk : {browsing()}) {
    const Told whole = read(talk, 100'000);
    for (const std::size_t piece : {1, 2, 3, 7, 100, 1'448}) {
      const Told cut = read(talk, piece);
      EXPECT_EQ(cut.log, whole.log) << piece;
      EXPECT_EQ(cut.buffers, whole.buffers) << piece;
      EXPECT_EQ(cut.each, whole.each) << piece;
    }
  }
}

TEST(Applications, OneDirectionAlone) {
  const auto talk = browsing();
  const Told up = read({talk[0]}, 50);
  ASSERT_EQ(up.http.size(), 2U);
  EXPECT_FALSE(up.http[0].status);
  EXPECT_EQ(up.http[0].method, "GET");
}

TEST(Applications, ATruncatedBodyIsNoWholeFile) {
  auto talk = browsing();
  talk.resize(2);
  talk[1].text.resize(talk[1].text.size() - 5);
  const Told told = read(talk, 1'000);
  for (const FileRecord& f : told.files) {
    EXPECT_TRUE(f.name != "file.txt" || !f.complete);
  }
  EXPECT_FALSE(told.buffers.contains({0, Buffer::kResponseFileSize})) << "its size is not known";
}

// The sanitizers watch this one: the state is gone when the first piece was read.
TEST(Applications, AReaderMayEndWithItsFirstPiece) {
  Limits limits;
  limits.app_transactions = 2;
  const ApplicationSettings settings(limits, true, true);
  Application application;
  Told told;
  std::string pipelined;
  for (int i = 0; i < 4; ++i) pipelined += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  application.data(settings, kUp, 0, std::as_bytes(std::span(pipelined)), 1, told);
  EXPECT_TRUE(application.done()) << "more requests wait for an answer than app_transactions lets wait";
  EXPECT_EQ(application.protocol(), AppProtocol::kHttp);
  EXPECT_EQ(application.held_bytes(), 0U);
}

TEST(Applications, OtherTalkIsLeftAlone) {
  const ApplicationSettings settings(Limits{}, true, true);
  Application application;
  Told told;
  const std::string text = "SSH-2.0-OpenSSH\r\n";
  application.data(settings, kUp, 0, std::as_bytes(std::span(text)), 1, told);
  EXPECT_TRUE(application.done());
  EXPECT_EQ(application.protocol(), AppProtocol::kFailed);
  EXPECT_EQ(application.held_bytes(), 0U);
}

std::string number(std::size_t n, int octets) {
  std::string out;
  for (int i = octets - 1; i >= 0; --i) out += static_cast<char>(n >> (8 * i) & 0xffU);
  return out;
}
std::string sized(const std::string& text, int octets) { return number(text.size(), octets) + text; }
std::string extension(std::uint16_t type, const std::string& value) { return number(type, 2) + sized(value, 2); }
std::string handshake(std::uint8_t type, const std::string& body) { return number(type, 1) + sized(body, 3); }
std::string record(const std::string& body) { return std::string("\x16\x03\x01", 3) + sized(body, 2); }

std::string client_hello() {
  const std::string extensions = extension(0x1a1a, "") + extension(0, sized(std::string(1, '\0') + sized("www.example.org", 2), 2)) +
                                 extension(10, sized("\x4a\x4a" + number(29, 2) + number(23, 2), 2)) + extension(11, sized(std::string(1, '\0'), 1)) +
                                 extension(13, sized(number(0x0403, 2) + number(0x0804, 2), 2)) +
                                 extension(16, sized(sized("h2", 1) + sized("http/1.1", 1), 2)) +
                                 extension(43, sized(number(0x2a2a, 2) + number(0x0304, 2) + number(0x0303, 2), 1));
  return handshake(1, number(0x0303, 2) + std::string(32, 'r') + sized("", 1) + sized(number(0x3a3a, 2) + number(0x1301, 2) + number(0xc02f, 2), 2) +
                          sized(std::string(1, '\0'), 1) + sized(extensions, 2));
}

std::vector<Said> tls13() {
  const std::string server = handshake(
      2, number(0x0303, 2) + std::string(32, 's') + sized("", 1) + number(0x1301, 2) + std::string(1, '\0') + sized(extension(43, number(0x0304, 2)), 2));
  const std::string hello = client_hello();
  // The hello over two records.
  return {{kUp, record(hello.substr(0, 60)) + record(hello.substr(60))}, {kDown, record(server)}};
}

TEST(Applications, TlsHellos) {
  Told told = read(tls13(), 10'000);
  ASSERT_EQ(told.tls.size(), 1U);
  const TlsRecord& r = told.tls[0];
  EXPECT_EQ(r.sni, "www.example.org");
  EXPECT_EQ(r.version, "TLS 1.3");
  EXPECT_EQ(r.ja3_string, "771,4865-49199,0-10-11-13-16-43,29-23,0");
  EXPECT_EQ(r.ja3_hash, digest(EVP_md5(), r.ja3_string));
  EXPECT_EQ(r.ja3s_string, "771,4865,43");
  EXPECT_EQ(r.ja4, "t13d0206h2_" + digest(EVP_sha256(), "1301,c02f").substr(0, 12) + "_" + digest(EVP_sha256(), "000a,000b,000d,002b_0403,0804").substr(0, 12));
  EXPECT_EQ(r.alpn_offered, (std::vector<std::string>{"h2", "http/1.1"}));
  EXPECT_EQ((told.buffers[{0, Buffer::kTlsClientVersion}]), "\x03\x03");
  EXPECT_EQ((told.buffers[{0, Buffer::kTlsServerVersion}]), "\x03\x04");
  const StreamRange name = told.raw[{0, Buffer::kTlsSni}];
  EXPECT_EQ(tls13()[0].text.substr(name.first, name.end - name.first).size(), r.sni.size());
  for (const std::size_t piece : {1, 2, 5, 61}) EXPECT_EQ(read(tls13(), piece).log, told.log) << piece;
}

TEST(Applications, DnsOverTcp) {
  const std::string question = std::string(
                                   "\x07"
                                   "example\x03"
                                   "org\0",
                                   13) +
                               number(1, 2) + number(1, 2);
  const std::string query = number(0x1234, 2) + number(0x0100, 2) + number(1, 2) + number(0, 6) + question;
  const std::string answer = number(0x1234, 2) + number(0x8180, 2) + number(1, 2) + number(1, 2) + number(0, 4) + question + std::string("\xc0\x0c", 2) +
                             number(1, 2) + number(1, 2) + number(60, 4) + sized("\xc0\x01\x02\x03", 2);
  const std::vector<Said> talk{{kUp, sized(query, 2)}, {kDown, sized(answer, 2)}};
  const Told told = read(talk, 1'000);
  ASSERT_EQ(told.dns.size(), 2U);
  EXPECT_EQ(told.dns[0].name, "example.org");
  EXPECT_EQ(told.dns[1].answers.at(0).data, "192.1.2.3");
  for (const std::size_t piece : {1, 3, 13}) EXPECT_EQ(read(talk, piece).log, told.log) << piece;
}

}  // namespace
}  // namespace weir::inspect::apps
