// TLS hellos as values, and their fingerprints.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::inspect::apps {

struct ClientHello {
  std::uint16_t version = 0;
  std::vector<std::uint16_t> ciphers, extensions, groups, signatures, versions;
  std::vector<std::uint8_t> point_formats;
  std::vector<std::string> alpn;
  std::string server_name;
  std::size_t server_name_at = 0;  ///< within the hello
};

struct ServerHello {
  std::uint16_t version = 0, selected_version = 0, cipher = 0;
  std::vector<std::uint16_t> extensions;
  std::string alpn;
  bool resumed = false;  ///< by a pre-shared key (TLS 1.3)
};

/// The body of a ClientHello or ServerHello (RFC 8446 §4.1), or nothing if it is none.
std::optional<ClientHello> parse_client_hello(std::span<const std::byte> body);
std::optional<ServerHello> parse_server_hello(std::span<const std::byte> body);

/// What JA3 and JA3S hash; values that are only there for variety (RFC 8701) are left out.
std::string ja3_string(const ClientHello& hello);
std::string ja3s_string(const ServerHello& hello);
/// JA4 of a hello over TCP.
std::string ja4(const ClientHello& hello);
/// As Suricata's log writes it: "TLS 1.2".
std::string version_name(std::uint16_t version);

}  // namespace weir::inspect::apps
