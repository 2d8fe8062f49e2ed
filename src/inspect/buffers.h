// What signatures look at besides the stream: the parts of a transaction, by the name of their sticky buffer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/direction.h"

namespace weir::inspect {

/// The moments at which parts of a transaction are complete, in the order in which they come.
enum class Stage : std::uint8_t {
  kStream,           ///< no part of a transaction: the stream itself
  kRequestHeaders,   ///< HTTP request line and headers
  kRequestBody,      ///< the request's body, or its inspected beginning
  kRequestFile,      ///< the file in it is over, and whole
  kResponseHeaders,  ///< status line and headers
  kResponseBody,     ///< the response's body, decoded, or its inspected beginning
  kResponseFile,     ///< the file in it is over, and whole
  kClientHello,
  kServerHello,
  kCertificate,
  kDnsQuery,
  kCount
};

// enumerator, keyword, stage at which it is complete
#define WEIR_BUFFERS(X)                                                \
  X(kStream, "stream", kStream)                                        \
  X(kHttpMethod, "http.method", kRequestHeaders)                       \
  X(kHttpUri, "http.uri", kRequestHeaders)                             \
  X(kHttpUriRaw, "http.uri.raw", kRequestHeaders)                      \
  X(kHttpHost, "http.host", kRequestHeaders)                           \
  X(kHttpHostRaw, "http.host.raw", kRequestHeaders)                    \
  X(kHttpRequestLine, "http.request_line", kRequestHeaders)            \
  X(kHttpRequestHeader, "http.header", kRequestHeaders)                \
  X(kHttpRequestHeaderRaw, "http.header.raw", kRequestHeaders)         \
  X(kHttpRequestHeaderEach, "http.request_header", kRequestHeaders)    \
  X(kHttpRequestHeaderNames, "http.header_names", kRequestHeaders)     \
  X(kHttpRequestProtocol, "http.protocol", kRequestHeaders)            \
  X(kHttpRequestStart, "http.start", kRequestHeaders)                  \
  X(kHttpUserAgent, "http.user_agent", kRequestHeaders)                \
  X(kHttpRequestCookie, "http.cookie", kRequestHeaders)                \
  X(kHttpReferer, "http.referer", kRequestHeaders)                     \
  X(kHttpAccept, "http.accept", kRequestHeaders)                       \
  X(kHttpAcceptLang, "http.accept_lang", kRequestHeaders)              \
  X(kHttpAcceptEnc, "http.accept_enc", kRequestHeaders)                \
  X(kHttpRequestConnection, "http.connection", kRequestHeaders)        \
  X(kHttpRequestContentType, "http.content_type", kRequestHeaders)     \
  X(kHttpRequestContentLen, "http.content_len", kRequestHeaders)       \
  X(kHttpRequestBody, "http.request_body", kRequestBody)               \
  X(kRequestFileData, "file.data", kRequestBody)                       \
  X(kRequestFileName, "file.name", kRequestBody)                       \
  X(kRequestFileSize, "filesize", kRequestFile)                        \
  X(kHttpStatCode, "http.stat_code", kResponseHeaders)                 \
  X(kHttpStatMsg, "http.stat_msg", kResponseHeaders)                   \
  X(kHttpResponseLine, "http.response_line", kResponseHeaders)         \
  X(kHttpResponseHeader, "http.header", kResponseHeaders)              \
  X(kHttpResponseHeaderRaw, "http.header.raw", kResponseHeaders)       \
  X(kHttpResponseHeaderEach, "http.response_header", kResponseHeaders) \
  X(kHttpResponseHeaderNames, "http.header_names", kResponseHeaders)   \
  X(kHttpResponseProtocol, "http.protocol", kResponseHeaders)          \
  X(kHttpResponseStart, "http.start", kResponseHeaders)                \
  X(kHttpResponseCookie, "http.cookie", kResponseHeaders)              \
  X(kHttpServer, "http.server", kResponseHeaders)                      \
  X(kHttpLocation, "http.location", kResponseHeaders)                  \
  X(kHttpResponseConnection, "http.connection", kResponseHeaders)      \
  X(kHttpResponseContentType, "http.content_type", kResponseHeaders)   \
  X(kHttpResponseContentLen, "http.content_len", kResponseHeaders)     \
  X(kHttpResponseBody, "http.response_body", kResponseBody)            \
  X(kResponseFileData, "file.data", kResponseBody)                     \
  X(kResponseFileName, "file.name", kResponseBody)                     \
  X(kResponseFileSize, "filesize", kResponseFile)                      \
  X(kTlsSni, "tls.sni", kClientHello)                                  \
  X(kTlsClientVersion, "tls.version", kClientHello)                    \
  X(kJa3Hash, "ja3.hash", kClientHello)                                \
  X(kJa3String, "ja3.string", kClientHello)                            \
  X(kJa4, "ja4.hash", kClientHello)                                    \
  X(kTlsServerVersion, "tls.version", kServerHello)                    \
  X(kJa3sHash, "ja3s.hash", kServerHello)                              \
  X(kJa3sString, "ja3s.string", kServerHello)                          \
  X(kTlsCertSubject, "tls.cert_subject", kCertificate)                 \
  X(kTlsCertIssuer, "tls.cert_issuer", kCertificate)                   \
  X(kTlsCertSerial, "tls.cert_serial", kCertificate)                   \
  X(kTlsCertFingerprint, "tls.cert_fingerprint", kCertificate)         \
  X(kTlsCerts, "tls.certs", kCertificate)                              \
  X(kDnsQuery, "dns.query", kDnsQuery)

/// A keyword that means one part of requests and another of responses (http.header, file.data, ...) stands for two of these; the rule's
/// direction and its other buffers say which.
enum class Buffer : std::uint8_t {
#define WEIR_BUFFER_ENUMERATOR(enumerator, keyword, stage) enumerator,
  WEIR_BUFFERS(WEIR_BUFFER_ENUMERATOR)
#undef WEIR_BUFFER_ENUMERATOR
      kCount
};

struct BufferInfo {
  std::string_view keyword;
  Stage stage;
};
inline constexpr auto kBufferTable = std::to_array<BufferInfo>({
#define WEIR_BUFFER_ROW(enumerator, keyword, stage) {keyword, Stage::stage},
    WEIR_BUFFERS(WEIR_BUFFER_ROW)
#undef WEIR_BUFFER_ROW
});
constexpr const BufferInfo& info_of(Buffer b) { return kBufferTable[static_cast<std::size_t>(b)]; }
constexpr bool is_stream(Buffer b) { return b == Buffer::kStream; }
/// A transaction can have several of these (each header, each certificate): what is asked of it must hold of one of them.
constexpr bool is_repeated(Buffer b) { return b == Buffer::kHttpRequestHeaderEach || b == Buffer::kHttpResponseHeaderEach || b == Buffer::kTlsCerts; }
/// The direction that carries the parts of a stage.
constexpr Direction direction_of(Stage s) {
  switch (s) {
    case Stage::kResponseHeaders:
    case Stage::kResponseBody:
    case Stage::kResponseFile:
    case Stage::kServerHello:
    case Stage::kCertificate:
      return Direction::kToClient;
    default:
      return Direction::kToServer;
  }
}

/// Bytes of the stream that something was decoded from: [first, end).
struct StreamRange {
  Direction direction = Direction::kToServer;
  std::uint64_t first = 0, end = 0;
};

/// Parts of one transaction, as far as they are complete. Views: valid during the call that they are handed to.
struct Transaction {
  struct Part {
    std::span<const std::byte> bytes;
    StreamRange raw;
    bool present = false;
  };
  std::uint64_t number = 0;  ///< within its connection, from 0
  std::array<Part, static_cast<std::size_t>(Buffer::kCount)> parts;
  std::vector<std::pair<Buffer, Part>> further;  ///< of a buffer that is_repeated(), all but the first
  const Part& part(Buffer b) const { return parts[static_cast<std::size_t>(b)]; }
  Part& part(Buffer b) { return parts[static_cast<std::size_t>(b)]; }
};

/// What a connection speaks, told by its content.
enum class AppProtocol : std::uint8_t { kUnknown, kHttp, kTls, kDns, kFailed };

}  // namespace weir::inspect
