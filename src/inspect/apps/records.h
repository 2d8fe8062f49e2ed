// What the applications in a connection said: values for the log, with the meaning of Suricata's EVE fields of the same names.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/direction.h"
#include "base/ip_address.h"
#include "base/raw_packet.h"

namespace weir::inspect::apps {

struct HttpRecord {
  TimeNs time_ns = 0;
  std::uint64_t transaction = 0;  ///< EVE's tx_id
  std::string hostname, url, user_agent, content_type, method, protocol, referer, redirect;
  std::optional<std::uint16_t> port;                    ///< if the Host has one
  std::optional<std::uint32_t> status;                  ///< none: no response was seen
  std::uint64_t request_bytes = 0, response_bytes = 0;  ///< bodies, decoded; EVE's length is the latter
};

struct TlsRecord {
  TimeNs time_ns = 0;
  std::string sni, version;  ///< version as Suricata writes it: "TLS 1.2"
  std::string subject, issuer, serial, fingerprint, not_before, not_after;
  std::vector<std::string> subject_alt_names;
  std::vector<std::string> alpn_offered;
  std::string alpn_selected;
  std::string ja3_hash, ja3_string, ja3s_hash, ja3s_string, ja4;
  bool session_resumed = false;
};

struct FileRecord {
  TimeNs time_ns = 0;
  std::uint64_t transaction = 0;
  Direction direction = Direction::kToClient;
  std::string name, sha256;  ///< sha256 only of a file that was seen whole
  std::string beginning;     ///< its first octets: what kind of file it is, is told from these
  std::uint64_t bytes = 0;
  bool complete = false;  ///< EVE's state: CLOSED, else TRUNCATED
  bool gaps = false;
  std::uint64_t number = 0;  ///< within the connection, as in on_file_data
};

struct DnsRecord {
  struct Answer {
    std::string name, type, data;
    std::uint32_t ttl_s = 0;
    std::vector<IpAddress> addresses;  ///< of A and AAAA; the hints of SVCB and HTTPS (RFC 9460)
  };
  TimeNs time_ns = 0;
  std::uint64_t transaction = 0;
  bool response = false;
  std::uint16_t id = 0, flags = 0;
  std::string rcode, name, type;
  std::vector<Answer> answers;
};

}  // namespace weir::inspect::apps
