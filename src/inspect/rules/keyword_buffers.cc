#include "inspect/rules/keyword_buffers.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::inspect::rules {
namespace {

using Named = std::pair<std::string_view, Buffer>;
using Formed = std::pair<Buffer, Buffer>;

constexpr auto kSticky = std::to_array<Named>({
    {"http.method", Buffer::kHttpMethod},
    {"http.uri", Buffer::kHttpUri},
    {"http.uri.raw", Buffer::kHttpUriRaw},
    {"http.host", Buffer::kHttpHost},
    {"http.host.raw", Buffer::kHttpHostRaw},
    {"http.request_line", Buffer::kHttpRequestLine},
    {"http_request_line", Buffer::kHttpRequestLine},
    {"http.header", Buffer::kHttpRequestHeader},
    {"http.header.raw", Buffer::kHttpRequestHeaderRaw},
    {"http.request_header", Buffer::kHttpRequestHeaderEach},
    {"http.response_header", Buffer::kHttpResponseHeaderEach},
    {"http.header_names", Buffer::kHttpRequestHeaderNames},
    {"http_header_names", Buffer::kHttpRequestHeaderNames},
    {"http.protocol", Buffer::kHttpRequestProtocol},
    {"http_protocol", Buffer::kHttpRequestProtocol},
    {"http.start", Buffer::kHttpRequestStart},
    {"http_start", Buffer::kHttpRequestStart},
    {"http.user_agent", Buffer::kHttpUserAgent},
    {"http.cookie", Buffer::kHttpRequestCookie},
    {"http.referer", Buffer::kHttpReferer},
    {"http_referer", Buffer::kHttpReferer},
    {"http.accept", Buffer::kHttpAccept},
    {"http_accept", Buffer::kHttpAccept},
    {"http.accept_lang", Buffer::kHttpAcceptLang},
    {"http_accept_lang", Buffer::kHttpAcceptLang},
    {"http.accept_enc", Buffer::kHttpAcceptEnc},
    {"http_accept_enc", Buffer::kHttpAcceptEnc},
    {"http.connection", Buffer::kHttpRequestConnection},
    {"http_connection", Buffer::kHttpRequestConnection},
    {"http.content_type", Buffer::kHttpRequestContentType},
    {"http_content_type", Buffer::kHttpRequestContentType},
    {"http.content_len", Buffer::kHttpRequestContentLen},
    {"http_content_len", Buffer::kHttpRequestContentLen},
    {"http.request_body", Buffer::kHttpRequestBody},
    {"http.response_body", Buffer::kHttpResponseBody},
    {"http.stat_code", Buffer::kHttpStatCode},
    {"http.stat_msg", Buffer::kHttpStatMsg},
    {"http.response_line", Buffer::kHttpResponseLine},
    {"http_response_line", Buffer::kHttpResponseLine},
    {"http.server", Buffer::kHttpServer},
    {"http.location", Buffer::kHttpLocation},
    {"file.data", Buffer::kRequestFileData},
    {"file_data", Buffer::kRequestFileData},
    {"file.name", Buffer::kRequestFileName},
    {"tls.sni", Buffer::kTlsSni},
    {"tls_sni", Buffer::kTlsSni},
    {"ja3.hash", Buffer::kJa3Hash},
    {"ja3_hash", Buffer::kJa3Hash},
    {"ja3.string", Buffer::kJa3String},
    {"ja3_string", Buffer::kJa3String},
    {"ja3s.hash", Buffer::kJa3sHash},
    {"ja3s.string", Buffer::kJa3sString},
    {"ja4.hash", Buffer::kJa4},
    {"tls.cert_subject", Buffer::kTlsCertSubject},
    {"tls_cert_subject", Buffer::kTlsCertSubject},
    {"tls.cert_issuer", Buffer::kTlsCertIssuer},
    {"tls_cert_issuer", Buffer::kTlsCertIssuer},
    {"tls.cert_serial", Buffer::kTlsCertSerial},
    {"tls_cert_serial", Buffer::kTlsCertSerial},
    {"tls.cert_fingerprint", Buffer::kTlsCertFingerprint},
    {"tls_cert_fingerprint", Buffer::kTlsCertFingerprint},
    {"tls.certs", Buffer::kTlsCerts},
    {"dns.query", Buffer::kDnsQuery},
    {"dns_query", Buffer::kDnsQuery},
    {"pkt_data", Buffer::kStream},
});

constexpr auto kModifiers = std::to_array<Named>({
    {"http_uri", Buffer::kHttpUri},
    {"http_raw_uri", Buffer::kHttpUriRaw},
    {"http_method", Buffer::kHttpMethod},
    {"http_header", Buffer::kHttpRequestHeader},
    {"http_raw_header", Buffer::kHttpRequestHeaderRaw},
    {"http_cookie", Buffer::kHttpRequestCookie},
    {"http_user_agent", Buffer::kHttpUserAgent},
    {"http_host", Buffer::kHttpHost},
    {"http_raw_host", Buffer::kHttpHostRaw},
    {"http_stat_code", Buffer::kHttpStatCode},
    {"http_stat_msg", Buffer::kHttpStatMsg},
    {"http_client_body", Buffer::kHttpRequestBody},
    {"http_server_body", Buffer::kHttpResponseBody},
});

constexpr auto kPcreLetters = std::to_array<std::pair<char, Buffer>>({
    {'U', Buffer::kHttpUri},
    {'I', Buffer::kHttpUriRaw},
    {'P', Buffer::kHttpRequestBody},
    {'Q', Buffer::kHttpResponseBody},
    {'H', Buffer::kHttpRequestHeader},
    {'D', Buffer::kHttpRequestHeaderRaw},
    {'M', Buffer::kHttpMethod},
    {'C', Buffer::kHttpRequestCookie},
    {'S', Buffer::kHttpStatCode},
    {'Y', Buffer::kHttpStatMsg},
    {'V', Buffer::kHttpUserAgent},
    {'W', Buffer::kHttpHost},
    {'Z', Buffer::kHttpHostRaw},
});

constexpr auto kResponseForms = std::to_array<Formed>({
    {Buffer::kHttpRequestHeader, Buffer::kHttpResponseHeader},
    {Buffer::kHttpRequestHeaderRaw, Buffer::kHttpResponseHeaderRaw},
    {Buffer::kHttpRequestHeaderNames, Buffer::kHttpResponseHeaderNames},
    {Buffer::kHttpRequestProtocol, Buffer::kHttpResponseProtocol},
    {Buffer::kHttpRequestStart, Buffer::kHttpResponseStart},
    {Buffer::kHttpRequestCookie, Buffer::kHttpResponseCookie},
    {Buffer::kHttpRequestConnection, Buffer::kHttpResponseConnection},
    {Buffer::kHttpRequestContentType, Buffer::kHttpResponseContentType},
    {Buffer::kHttpRequestContentLen, Buffer::kHttpResponseContentLen},
    {Buffer::kRequestFileData, Buffer::kResponseFileData},
    {Buffer::kRequestFileName, Buffer::kResponseFileName},
    {Buffer::kRequestFileSize, Buffer::kResponseFileSize},
    {Buffer::kTlsClientVersion, Buffer::kTlsServerVersion},
});

constexpr auto kTransforms = std::to_array<std::pair<std::string_view, Transform::Kind>>({
    {"dotprefix", Transform::Kind::kDotPrefix},
    {"to_lowercase", Transform::Kind::kToLowercase},
    {"to_uppercase", Transform::Kind::kToUppercase},
    {"strip_whitespace", Transform::Kind::kStripWhitespace},
    {"compress_whitespace", Transform::Kind::kCompressWhitespace},
    {"to_md5", Transform::Kind::kToMd5},
    {"to_sha1", Transform::Kind::kToSha1},
    {"to_sha256", Transform::Kind::kToSha256},
    {"url_decode", Transform::Kind::kUrlDecode},
    {"xor", Transform::Kind::kXor},
    {"header_lowercase", Transform::Kind::kHeaderLowercase},
    {"strip_pseudo_headers", Transform::Kind::kStripPseudoHeaders},
    {"pcrexform", Transform::Kind::kPcre},
});

template <typename Table, typename Key>
auto look_up(const Table& table, const Key& key) {
  const auto* const found = std::ranges::find(table, key, [](const auto& entry) { return entry.first; });
  return found == table.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

std::optional<Buffer> sticky_buffer(std::string_view keyword) { return look_up(kSticky, keyword); }
std::optional<Buffer> modifier_buffer(std::string_view keyword) { return look_up(kModifiers, keyword); }
std::optional<Buffer> pcre_buffer(char letter) { return look_up(kPcreLetters, letter); }
std::optional<Buffer> response_form(Buffer buffer) { return look_up(kResponseForms, buffer); }
std::optional<Transform::Kind> transform_kind(std::string_view keyword) { return look_up(kTransforms, keyword); }

}  // namespace weir::inspect::rules
