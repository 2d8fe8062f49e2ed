#include "inspect/apps/tls.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "inspect/apps/certificate.h"
#include "inspect/apps/digest.h"
#include "inspect/apps/hello.h"

namespace weir::inspect::apps {
namespace {

// RFC 8446 §5.1, §4.
constexpr std::uint8_t kHandshakeRecord = 22, kAlertRecord = 21;
constexpr std::uint8_t kClientHelloMessage = 1, kServerHelloMessage = 2, kCertificateMessage = 11;
constexpr std::size_t kRecordHead = 5, kMessageHead = 4, kLongestRecord = (1U << 14U) + 2'048;

std::string network_order(std::uint16_t n) { return {static_cast<char>(n >> 8U), static_cast<char>(n & 0xffU)}; }
std::string text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace

std::uint64_t Tls::offset_of(const Side& side, std::size_t at) {
  const auto behind = std::ranges::upper_bound(side.runs, at, {}, &Run::from);
  if (behind == side.runs.begin()) return 0;
  const Run& run = *std::prev(behind);
  return run.offset + (at - run.from);
}

void Tls::data(const ApplicationSettings& settings, Direction d, std::uint64_t offset, std::span<const std::byte> bytes, TimeNs now, Sink& sink) {
  Side& s = sides_[index(d)];
  if (s.done) return;
  s.record.insert(s.record.end(), bytes.begin(), bytes.end());
  s.next = offset + bytes.size();
  if (!take_records(settings, d, now, sink)) {
    s.done = true;
    s.record = {};
    s.handshake = {};
    s.runs = {};
  }
  // TLS 1.3 shows nothing more than its hellos; before it, the certificate comes in the clear.
  if (sides_[1].done && any_) tell(now, sink);
}

/// False: nothing more can be read in this direction.
bool Tls::take_records(const ApplicationSettings& settings, Direction d, TimeNs now, Sink& sink) {
  Side& s = sides_[index(d)];
  std::size_t at = 0;
  while (s.record.size() - at >= kRecordHead) {
    ByteReader head(std::span(s.record).subspan(at));
    const std::uint8_t type = head.u8();
    const std::uint16_t version = head.u16();
    const std::size_t size = head.u16();
    if (type == kAlertRecord && size == 2) {
      if (s.record.size() - at < kRecordHead + size) break;
      at += kRecordHead + size;
      continue;
    }
    if (type != kHandshakeRecord || version >> 8U != 3 || size > kLongestRecord) return false;
    if (s.record.size() - at < kRecordHead + size) break;
    const std::uint64_t begin = s.next - (s.record.size() - at) + kRecordHead;
    s.runs.push_back({s.handshake.size(), begin});
    const auto body = std::span(s.record).subspan(at + kRecordHead, size);
    s.handshake.insert(s.handshake.end(), body.begin(), body.end());
    at += kRecordHead + size;
    if (!take_messages(settings, d, now, sink)) return false;
  }
  s.record.erase(s.record.begin(), s.record.begin() + static_cast<std::ptrdiff_t>(at));
  return true;
}

bool Tls::take_messages(const ApplicationSettings& settings, Direction d, TimeNs now, Sink& sink) {
  Side& s = sides_[index(d)];
  std::size_t at = 0;
  bool more = true;
  while (more && s.handshake.size() - at >= kMessageHead) {
    ByteReader head(std::span(s.handshake).subspan(at));
    const std::uint8_t type = head.u8();
    const std::size_t size = head.u24();
    if (std::cmp_greater(size, settings.limits.app_header_bytes)) return false;
    if (s.handshake.size() - at < kMessageHead + size) break;
    const auto body = std::span<const std::byte>(s.handshake).subspan(at + kMessageHead, size);
    if (type == kClientHelloMessage && d == Direction::kToServer) {
      client_hello(settings, body, at + kMessageHead, now, sink);
      more = false;  // the rest of the client's is of no interest
    } else if (type == kServerHelloMessage && d == Direction::kToClient) {
      server_hello(settings, body, at + kMessageHead, now, sink);
      more = record_.version != "TLS 1.3";
    } else if (type == kCertificateMessage && d == Direction::kToClient) {
      certificate(settings, body, at + kMessageHead, now, sink);
      more = false;
    }
    at += kMessageHead + size;
  }
  return more;
}

void Tls::set(Direction d, Buffer b, const std::string& text, std::size_t from, std::size_t size) {
  texts_.push_back(std::make_unique<std::string>(text));
  const Side& s = sides_[index(d)];
  const StreamRange raw{d, offset_of(s, from), size == 0 ? offset_of(s, from) : offset_of(s, from + size - 1) + 1};
  const Transaction::Part part{std::as_bytes(std::span(*texts_.back())), raw, true};
  if (is_repeated(b) && transaction_.part(b).present) {
    transaction_.further.emplace_back(b, part);
  } else {
    transaction_.part(b) = part;
  }
}

void Tls::client_hello(const ApplicationSettings& settings, std::span<const std::byte> body, std::size_t at, TimeNs now, Sink& sink) {
  const auto hello = parse_client_hello(body);
  if (!hello) return;
  any_ = true;
  record_.time_ns = now;
  record_.sni = hello->server_name;
  record_.alpn_offered = hello->alpn;
  record_.ja3_string = ja3_string(*hello);
  record_.ja3_hash = digest(EVP_md5(), record_.ja3_string);
  record_.ja4 = ja4(*hello);
  if (!settings.rules) return;
  if (!record_.sni.empty()) set(Direction::kToServer, Buffer::kTlsSni, record_.sni, at + hello->server_name_at, record_.sni.size());
  set(Direction::kToServer, Buffer::kTlsClientVersion, network_order(hello->version), at, body.size());
  set(Direction::kToServer, Buffer::kJa3Hash, record_.ja3_hash, at, body.size());
  set(Direction::kToServer, Buffer::kJa3String, record_.ja3_string, at, body.size());
  set(Direction::kToServer, Buffer::kJa4, record_.ja4, at, body.size());
  sink.on_stage(Stage::kClientHello, transaction_, now);
}

void Tls::server_hello(const ApplicationSettings& settings, std::span<const std::byte> body, std::size_t at, TimeNs now, Sink& sink) {
  const auto hello = parse_server_hello(body);
  if (!hello || std::exchange(has_server_hello_, true)) return;
  any_ = true;
  if (record_.time_ns == 0) record_.time_ns = now;
  record_.version = version_name(hello->selected_version);
  record_.alpn_selected = hello->alpn;
  record_.session_resumed = hello->resumed;
  record_.ja3s_string = ja3s_string(*hello);
  record_.ja3s_hash = digest(EVP_md5(), record_.ja3s_string);
  if (!settings.rules) return;
  set(Direction::kToClient, Buffer::kTlsServerVersion, network_order(hello->selected_version), at, body.size());
  set(Direction::kToClient, Buffer::kJa3sHash, record_.ja3s_hash, at, body.size());
  set(Direction::kToClient, Buffer::kJa3sString, record_.ja3s_string, at, body.size());
  sink.on_stage(Stage::kServerHello, transaction_, now);
}

// RFC 5246 §7.4.2: a list of certificates, the server's own first.
void Tls::certificate(const ApplicationSettings& settings, std::span<const std::byte> body, std::size_t at, TimeNs now, Sink& sink) {
  ByteReader r(body);
  ByteReader list(r.take(r.u24()));
  const Bytes der = list.take(list.u24());
  if (!r.ok() || !list.ok() || der.empty() || !read_certificate(der, record_)) return;
  any_ = true;
  if (!settings.rules) return;
  const std::size_t from = at + static_cast<std::size_t>(der.data() - body.data());
  set(Direction::kToClient, Buffer::kTlsCertSubject, record_.subject, from, der.size());
  set(Direction::kToClient, Buffer::kTlsCertIssuer, record_.issuer, from, der.size());
  set(Direction::kToClient, Buffer::kTlsCertSerial, record_.serial, from, der.size());
  set(Direction::kToClient, Buffer::kTlsCertFingerprint, record_.fingerprint, from, der.size());
  set(Direction::kToClient, Buffer::kTlsCerts, text_of(der), from, der.size());
  while (list.remaining() > 0) {
    const Bytes next = list.take(list.u24());
    if (!list.ok() || next.empty()) break;
    set(Direction::kToClient, Buffer::kTlsCerts, text_of(next), at + static_cast<std::size_t>(next.data() - body.data()), next.size());
  }
  sink.on_stage(Stage::kCertificate, transaction_, now);
}

void Tls::tell(TimeNs now, Sink& sink) {
  if (!any_ || std::exchange(told_, true)) return;
  if (record_.time_ns == 0) record_.time_ns = now;
  sink.on_tls(record_);
}

void Tls::end(const ApplicationSettings&, TimeNs now, Sink& sink) { tell(now, sink); }

}  // namespace weir::inspect::apps
