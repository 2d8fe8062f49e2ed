#include "inspect/apps/http.h"

#include <fmt/format.h>
#include <htp/htp.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "inspect/apps/brotli.h"
#include "inspect/apps/file_reader.h"
#include "inspect/apps/http_config.h"
#include "inspect/apps/http_names.h"

namespace weir::inspect::apps {
namespace {

std::string text_of(const bstr* b) { return b == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(bstr_ptr(b)), bstr_len(b)); }

std::optional<std::string> header(const htp_table_t* headers, const char* name) {
  if (headers == nullptr) return std::nullopt;
  const auto* const found = static_cast<const htp_header_t*>(htp_table_get_c(headers, name));
  if (found == nullptr) return std::nullopt;
  return text_of(found->value);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
std::string lowered(std::string text) {
  std::ranges::transform(text, text.begin(), lower);
  return text;
}
bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

/// "Name: value\r\n" for each, cookies left out, as Suricata's http.header has it.
std::string header_lines(const htp_table_t* headers) {
  std::string out;
  for (std::size_t i = 0, n = htp_table_size(headers); i < n; ++i) {
    const auto* const h = static_cast<const htp_header_t*>(htp_table_get_index(headers, i, nullptr));
    const std::string name = text_of(h->name);
    if (same_word(name, "cookie") || same_word(name, "set-cookie")) continue;
    out += name + ": " + text_of(h->value) + "\r\n";
  }
  return out;
}

std::string header_names(const htp_table_t* headers) {
  std::string out = "\r\n";
  for (std::size_t i = 0, n = htp_table_size(headers); i < n; ++i) {
    out += text_of(static_cast<const htp_header_t*>(htp_table_get_index(headers, i, nullptr))->name) + "\r\n";
  }
  return out + "\r\n";
}

/// Path, query and fragment, the path as a server would understand it.
std::string normal_uri(const htp_tx_t* tx) {
  const htp_uri_t* const uri = tx->parsed_uri;
  if (uri == nullptr) return text_of(tx->request_uri);
  std::string out = text_of(uri->path);
  if (uri->query != nullptr) out += "?" + text_of(uri->query);
  if (uri->fragment != nullptr) out += "#" + text_of(uri->fragment);
  return out;
}

}  // namespace

/// One direction of an exchange.
struct Http::Message {
  std::string raw_head;  ///< header lines as they came
  std::string line;      ///< request or status line
  std::uint64_t start = 0, head_end = 0;
  bool has_head = false, told_body = false, complete = false;
  // Body.
  std::uint64_t body_end = 0;
  std::uint64_t bytes = 0;  ///< decoded
  std::string inspected;    ///< its beginning, for rules
  std::optional<FileReader> file;
  std::optional<Brotli> brotli;
  std::string file_name;
  std::uint64_t file_number = 0;
  bool gaps = false;
};

struct Http::Exchange {
  std::uint64_t number = 0;
  Message messages[2];  ///< by Direction
  HttpRecord record;
  Transaction transaction;
  std::vector<std::unique_ptr<std::string>> texts;  ///< what the parts view
  bool recorded = false;
};

/// What is the same while libhtp runs on one chunk.
struct Http::Call {
  const ApplicationSettings& settings;
  Direction direction;
  std::uint64_t chunk_offset;
  std::uint64_t position;  ///< where the parser is, as far as it tells
  TimeNs now;
  Sink& sink;
};

void Http::Free::operator()(htp_connp_t* parser) const { htp_connp_destroy_all(parser); }

Http::Http(const ApplicationSettings& settings) : parser_(htp_connp_create(settings.http->config.get())) {
  htp_connp_set_user_data(parser_.get(), this);
  htp_connp_open(parser_.get(), nullptr, 0, nullptr, 0, nullptr);
}

Http::~Http() = default;

void Http::stop(Direction d) { stopped_[index(d)] = true; }

Http::Exchange* Http::exchange(htp_tx_t* tx) {
  auto& e = open_[tx];
  if (!e) {
    e = std::make_unique<Exchange>();
    e->number = e->transaction.number = next_number_++;
    e->record.transaction = e->number;
  }
  return e.get();
}

std::uint64_t Http::position(Direction d) const {
  const std::size_t read = d == Direction::kToServer ? htp_connp_req_data_consumed(parser_.get()) : htp_connp_res_data_consumed(parser_.get());
  return call_->direction == d ? call_->chunk_offset + read : call_->position;
}

void Http::data(const ApplicationSettings& settings, Direction d, std::uint64_t offset, std::span<const std::byte> bytes, TimeNs now, Sink& sink) {
  if (stopped_[index(d)] || bytes.empty()) return;
  Call call{settings, d, offset, offset, now, sink};
  call_ = &call;
  htp_time_t time{};
  time.tv_sec = now / 1'000'000'000;
  const int state = d == Direction::kToServer ? htp_connp_req_data(parser_.get(), &time, bytes.data(), bytes.size())
                                              : htp_connp_res_data(parser_.get(), &time, bytes.data(), bytes.size());
  call_ = nullptr;
  // An error, a tunnel (CONNECT, Upgrade), or a direction that waits for the other one's answer: nothing more is read of it.
  if (state != HTP_STREAM_DATA && state != HTP_STREAM_OPEN) stop(d);
  if (std::cmp_greater(open_.size(), settings.limits.app_transactions)) {
    stop(Direction::kToServer);
    stop(Direction::kToClient);
  }
}

void Http::gap(const ApplicationSettings&, Direction d, std::uint64_t, TimeNs, Sink&) {
  // What follows cannot be told from a body: this direction is read no further.
  for (auto& [tx, e] : open_) {
    Message& m = e->messages[index(d)];
    if (m.has_head && !m.complete) m.gaps = true;
  }
  stop(d);
}

void Http::fin(const ApplicationSettings& settings, Direction d, TimeNs now, Sink& sink) {
  if (stopped_[index(d)]) return;
  Call call{settings, d, 0, 0, now, sink};
  for (const auto& [tx, e] : open_) call.position = std::max(call.position, e->messages[index(d)].body_end);
  call_ = &call;
  htp_time_t time{};
  time.tv_sec = now / 1'000'000'000;
  // A response without a length ends with its stream; nothing given means the end.
  if (d == Direction::kToServer) {
    htp_connp_req_close(parser_.get(), &time);
  } else {
    htp_connp_close(parser_.get(), &time);
  }
  call_ = nullptr;
  stop(d);
}

void Http::end(const ApplicationSettings& settings, TimeNs now, Sink& sink) {
  Call call{settings, Direction::kToServer, 0, 0, now, sink};
  call_ = &call;
  std::vector<Exchange*> rest;
  for (auto& [tx, e] : open_) rest.push_back(e.get());
  std::ranges::sort(rest, {}, &Exchange::number);
  for (Exchange* e : rest) {
    for (const Direction d : {Direction::kToServer, Direction::kToClient}) {
      if (e->messages[index(d)].has_head) end_body(*e, d, false);
    }
    tell_record(*e);
  }
  open_.clear();
  call_ = nullptr;
}

void Http::tell_stage(Exchange& e, Stage stage) {
  if (call_->settings.rules) call_->sink.on_stage(stage, e.transaction, call_->now);
}

void Http::tell_record(Exchange& e) {
  if (std::exchange(e.recorded, true) || !(e.messages[0].has_head || e.messages[1].has_head)) return;
  e.record.request_bytes = e.messages[0].bytes;
  e.record.response_bytes = e.messages[1].bytes;
  if (e.record.time_ns == 0) e.record.time_ns = call_->now;
  call_->sink.on_http(e.record);
}

namespace {

/// Sets parts of a transaction, with the place of each in the raw head where it is found there.
class Parts {
 public:
  Parts(Transaction& transaction, std::vector<std::unique_ptr<std::string>>& texts, Direction d, std::uint64_t start, std::uint64_t end, std::string head)
      : transaction_(transaction), texts_(texts), direction_(d), start_(start), end_(end), head_(std::move(head)) {}

  /// `raw`: the text as it stands in the head, behind `behind`; not found: the whole head.
  void set(Buffer b, std::string text, std::string_view raw, std::string_view behind = {}) {
    StreamRange range{direction_, start_, end_};
    std::size_t from = 0;
    if (!behind.empty()) {
      const auto found = std::ranges::search(head_, behind, [](char x, char y) { return lower(x) == lower(y); });
      from = found.empty() ? head_.size() : static_cast<std::size_t>(found.begin() - head_.begin());
    }
    const std::uint64_t base = end_ - std::min<std::uint64_t>(head_.size(), end_);
    if (const auto at = raw.empty() ? std::string::npos : head_.find(raw, from); at != std::string::npos)
      range = {direction_, base + at, base + at + raw.size()};
    set(b, std::move(text), range);
  }
  void set(Buffer b, std::string text, const StreamRange& range) { add(transaction_, texts_, b, std::move(text), range); }
  static void add(Transaction& transaction, std::vector<std::unique_ptr<std::string>>& texts, Buffer b, std::string text, const StreamRange& range) {
    texts.push_back(std::make_unique<std::string>(std::move(text)));
    const Transaction::Part part{std::as_bytes(std::span(*texts.back())), range, true};
    if (is_repeated(b) && transaction.part(b).present) {
      transaction.further.emplace_back(b, part);
    } else {
      transaction.part(b) = part;
    }
  }
  /// Each header as "Name: value".
  void set_each(Buffer b, const htp_table_t* headers) {
    for (std::size_t i = 0, n = htp_table_size(headers); i < n; ++i) {
      const auto* const h = static_cast<const htp_header_t*>(htp_table_get_index(headers, i, nullptr));
      const std::string name = text_of(h->name), value = text_of(h->value);
      set(b, fmt::format("{}: {}", name, value), value, fmt::format("\n{}:", name));
    }
  }
  void set(Buffer b, const std::optional<std::string>& text, std::string_view name) {
    if (text) set(b, *text, *text, "\n" + std::string(name) + ":");
  }

 private:
  Transaction& transaction_;
  std::vector<std::unique_ptr<std::string>>& texts_;
  Direction direction_;
  std::uint64_t start_, end_;
  std::string head_;
};

}  // namespace

void Http::request_start(htp_tx_t* tx) {
  Exchange* const e = exchange(tx);
  e->messages[0].start = position(Direction::kToServer);
  e->record.time_ns = call_->now;
}

void Http::request_raw(const htp_tx_data_t* data) {
  if (data->data != nullptr) exchange(data->tx)->messages[0].raw_head.append(reinterpret_cast<const char*>(data->data), data->len);
}

void Http::request_headers(htp_tx_t* tx) {
  Exchange& e = *exchange(tx);
  Message& m = e.messages[0];
  if (m.has_head) return;
  m.has_head = true;
  m.head_end = m.body_end = position(Direction::kToServer);
  m.line = text_of(tx->request_line);
  HttpRecord& r = e.record;
  r.method = text_of(tx->request_method);
  r.url = text_of(tx->request_uri);
  r.protocol = text_of(tx->request_protocol);
  r.hostname = text_of(tx->request_hostname);
  if (tx->request_port_number > 0) r.port = static_cast<std::uint16_t>(tx->request_port_number);
  r.user_agent = header(tx->request_headers, "user-agent").value_or("");
  r.referer = header(tx->request_headers, "referer").value_or("");
  m.file_name = tx->parsed_uri != nullptr ? path_name(text_of(tx->parsed_uri->path)) : path_name(r.url);
  e.messages[1].file_name = m.file_name;
  if (const auto disposition = header(tx->request_headers, "content-disposition")) {
    if (auto name = disposition_name(*disposition); !name.empty()) m.file_name = std::move(name);
  }
  if (same_word(header(tx->request_headers, "content-encoding").value_or(""), "br"))
    m.brotli.emplace(static_cast<std::uint64_t>(call_->settings.limits.app_expansion_bytes));
  if (!call_->settings.rules) return;

  const std::string head = m.line + "\r\n" + m.raw_head;
  Parts parts(e.transaction, e.texts, Direction::kToServer, std::min(m.start, m.head_end), m.head_end, head);
  const htp_table_t* const h = tx->request_headers;
  parts.set(Buffer::kHttpMethod, r.method, r.method);
  parts.set(Buffer::kHttpUri, normal_uri(tx), r.url);
  parts.set(Buffer::kHttpUriRaw, r.url, r.url);
  parts.set(Buffer::kHttpRequestLine, m.line, m.line);
  parts.set(Buffer::kHttpRequestProtocol, r.protocol, r.protocol);
  parts.set(Buffer::kHttpRequestHeader, header_lines(h), m.raw_head);
  parts.set(Buffer::kHttpRequestHeaderRaw, m.raw_head, m.raw_head);
  parts.set_each(Buffer::kHttpRequestHeaderEach, h);
  parts.set(Buffer::kHttpRequestHeaderNames, header_names(h), m.raw_head);
  parts.set(Buffer::kHttpRequestStart, head, head);
  const auto host = header(h, "host");
  if (!r.hostname.empty()) parts.set(Buffer::kHttpHost, lowered(r.hostname), r.hostname, host ? "\nhost:" : "");
  parts.set(Buffer::kHttpHostRaw, host, "host");
  parts.set(Buffer::kHttpUserAgent, header(h, "user-agent"), "user-agent");
  parts.set(Buffer::kHttpRequestCookie, header(h, "cookie"), "cookie");
  parts.set(Buffer::kHttpReferer, header(h, "referer"), "referer");
  parts.set(Buffer::kHttpAccept, header(h, "accept"), "accept");
  parts.set(Buffer::kHttpAcceptLang, header(h, "accept-language"), "accept-language");
  parts.set(Buffer::kHttpAcceptEnc, header(h, "accept-encoding"), "accept-encoding");
  parts.set(Buffer::kHttpRequestConnection, header(h, "connection"), "connection");
  parts.set(Buffer::kHttpRequestContentType, header(h, "content-type"), "content-type");
  parts.set(Buffer::kHttpRequestContentLen, header(h, "content-length"), "content-length");
  tell_stage(e, Stage::kRequestHeaders);
}

void Http::response_start(htp_tx_t* tx) { exchange(tx)->messages[1].start = position(Direction::kToClient); }

void Http::response_raw(const htp_tx_data_t* data) {
  if (data->data != nullptr) exchange(data->tx)->messages[1].raw_head.append(reinterpret_cast<const char*>(data->data), data->len);
}

void Http::response_headers(htp_tx_t* tx) {
  Exchange& e = *exchange(tx);
  Message& m = e.messages[1];
  if (m.has_head) return;
  m.has_head = true;
  m.head_end = m.body_end = position(Direction::kToClient);
  m.line = text_of(tx->response_line);
  HttpRecord& r = e.record;
  if (tx->response_status_number > 0) r.status = static_cast<std::uint32_t>(tx->response_status_number);
  const htp_table_t* const h = tx->response_headers;
  const std::string type = header(h, "content-type").value_or("");
  r.content_type = type.substr(0, type.find_first_of("; "));
  r.redirect = r.status && *r.status >= 300 && *r.status < 400 ? header(h, "location").value_or("") : "";
  if (r.protocol.empty()) r.protocol = text_of(tx->response_protocol);
  if (const auto disposition = header(h, "content-disposition")) {
    if (auto name = disposition_name(*disposition); !name.empty()) m.file_name = std::move(name);
  }
  if (same_word(header(h, "content-encoding").value_or(""), "br")) m.brotli.emplace(static_cast<std::uint64_t>(call_->settings.limits.app_expansion_bytes));
  if (!call_->settings.rules) return;

  const std::string head = m.line + "\r\n" + m.raw_head;
  Parts parts(e.transaction, e.texts, Direction::kToClient, std::min(m.start, m.head_end), m.head_end, head);
  parts.set(Buffer::kHttpStatCode, text_of(tx->response_status), text_of(tx->response_status), " ");
  parts.set(Buffer::kHttpStatMsg, text_of(tx->response_message), text_of(tx->response_message));
  parts.set(Buffer::kHttpResponseLine, m.line, m.line);
  parts.set(Buffer::kHttpResponseProtocol, text_of(tx->response_protocol), text_of(tx->response_protocol));
  parts.set(Buffer::kHttpResponseHeader, header_lines(h), m.raw_head);
  parts.set(Buffer::kHttpResponseHeaderRaw, m.raw_head, m.raw_head);
  parts.set_each(Buffer::kHttpResponseHeaderEach, h);
  parts.set(Buffer::kHttpResponseHeaderNames, header_names(h), m.raw_head);
  parts.set(Buffer::kHttpResponseStart, head, head);
  parts.set(Buffer::kHttpResponseCookie, header(h, "set-cookie"), "set-cookie");
  parts.set(Buffer::kHttpServer, header(h, "server"), "server");
  parts.set(Buffer::kHttpLocation, header(h, "location"), "location");
  parts.set(Buffer::kHttpResponseConnection, header(h, "connection"), "connection");
  parts.set(Buffer::kHttpResponseContentType, header(h, "content-type"), "content-type");
  parts.set(Buffer::kHttpResponseContentLen, header(h, "content-length"), "content-length");
  tell_stage(e, Stage::kResponseHeaders);
}

void Http::body(Exchange& e, Direction d, std::span<const std::byte> bytes) {
  Message& m = e.messages[index(d)];
  m.body_end = std::max(m.body_end, position(d));
  if (bytes.empty()) return;
  if (!m.brotli) return decoded(e, d, bytes);
  m.brotli->add(bytes, [&](std::span<const std::byte> piece) { decoded(e, d, piece); });
}

void Http::decoded(Exchange& e, Direction d, std::span<const std::byte> bytes) {
  Message& m = e.messages[index(d)];
  m.bytes += bytes.size();
  if (call_->settings.files && !m.file_name.empty()) {
    if (!m.file) {
      m.file.emplace();
      m.file_number = next_file_++;
    }
    m.file->add(bytes);
    call_->sink.on_file_data(m.file_number, bytes);
  }
  if (!call_->settings.rules || m.told_body) return;
  const auto most = static_cast<std::size_t>(call_->settings.limits.app_body_bytes);
  m.inspected.append(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), most - m.inspected.size()));
  if (m.inspected.size() == most) tell_body(e, d);
}

/// The body is there, or as much of it as rules look at.
void Http::tell_body(Exchange& e, Direction d) {
  Message& m = e.messages[index(d)];
  if (!call_->settings.rules || std::exchange(m.told_body, true) || m.inspected.empty()) return;
  const StreamRange range{d, m.head_end, std::max(m.body_end, position(d))};
  const bool request = d == Direction::kToServer;
  for (const Buffer b : {request ? Buffer::kHttpRequestBody : Buffer::kHttpResponseBody, request ? Buffer::kRequestFileData : Buffer::kResponseFileData}) {
    Transaction::Part& part = e.transaction.part(b);
    part.bytes = std::as_bytes(std::span(m.inspected));
    part.raw = range;
    part.present = true;
  }
  if (!m.file_name.empty()) Parts::add(e.transaction, e.texts, request ? Buffer::kRequestFileName : Buffer::kResponseFileName, m.file_name, range);
  tell_stage(e, request ? Stage::kRequestBody : Stage::kResponseBody);
}

/// The file in the body is over, and its size known.
void Http::tell_file(Exchange& e, Direction d) {
  Message& m = e.messages[index(d)];
  if (!call_->settings.rules || m.file_name.empty() || m.bytes == 0 || m.gaps) return;
  std::string size;
  for (unsigned shift = 64; shift > 0; shift -= 8) size += static_cast<char>(m.bytes >> (shift - 8U) & 0xffU);
  const StreamRange range{d, m.head_end, std::max(m.body_end, position(d))};
  const bool request = d == Direction::kToServer;
  Parts::add(e.transaction, e.texts, request ? Buffer::kRequestFileSize : Buffer::kResponseFileSize, std::move(size), range);
  tell_stage(e, request ? Stage::kRequestFile : Stage::kResponseFile);
}

/// No more of the body comes. `whole`: it is all there.
void Http::end_body(Exchange& e, Direction d, bool whole) {
  Message& m = e.messages[index(d)];
  tell_body(e, d);
  if (whole) tell_file(e, d);
  if (!m.file) return;
  FileRecord r;
  r.time_ns = call_->now;
  r.transaction = e.number;
  r.direction = d;
  r.name = m.file_name;
  r.number = m.file_number;
  r.bytes = m.file->size();
  r.beginning = m.file->beginning();
  r.complete = whole && !m.gaps;
  r.gaps = m.gaps;
  if (r.complete) r.sha256 = m.file->sha256();
  m.file.reset();
  m.file_name.clear();
  call_->sink.on_file(r);
}

void Http::request_body(const htp_tx_data_t* data) {
  Exchange& e = *exchange(data->tx);
  body(e, Direction::kToServer, std::as_bytes(std::span(data->data, data->data == nullptr ? 0 : data->len)));
}

void Http::response_body(const htp_tx_data_t* data) {
  Exchange& e = *exchange(data->tx);
  body(e, Direction::kToClient, std::as_bytes(std::span(data->data, data->data == nullptr ? 0 : data->len)));
}

void Http::request_complete(htp_tx_t* tx) {
  Exchange& e = *exchange(tx);
  const bool short_of_it = tx->request_content_length > 0 && tx->request_message_len < tx->request_content_length;
  if (e.messages[0].has_head) end_body(e, Direction::kToServer, !short_of_it);
  e.messages[0].complete = true;
}

void Http::response_complete(htp_tx_t* tx) {
  Exchange& e = *exchange(tx);
  const bool short_of_it = tx->response_content_length > 0 && tx->response_message_len < tx->response_content_length;
  if (e.messages[1].has_head) end_body(e, Direction::kToClient, !short_of_it);
  e.messages[1].complete = true;
}

void Http::exchange_complete(htp_tx_t* tx) {
  tell_record(*exchange(tx));
  open_.erase(tx);
}

}  // namespace weir::inspect::apps
