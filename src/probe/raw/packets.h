// The packets that the prober sends, as values of a target, a secret and what the server has told. IP packets; the link adds its header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "probe/raw/cookie.h"
#include "probe/verdict.h"

namespace weir::probe::raw {

/// What a server told in its SYN/ACK.
struct Server {
  std::uint64_t key = 0;
  std::uint32_t next_seq = 0;  ///< of its own octets
  bool checksum = false;
};

/// Where the prober speaks from, and what it says in the data that must be acknowledged.
struct Identity {
  IpAddress source;
  std::string_view data;  ///< 1 to kLongestData octets
};
inline constexpr std::size_t kLongestData = 512;
/// In every packet that we send over IPv4: whoever wonders can tell ("WP").
inline constexpr std::uint16_t kIpId = 0x5750;
/// The token of no connection that we know of, and the nonce, in our JOINs.
struct JoinNumbers {
  std::uint32_t token = 0, nonce = 0;
};
JoinNumbers join_numbers(const Cookie& cookie);

/// The SYN of a question. `ttl` and `seq_offset` are the tracer's.
void write_syn(const Identity& from, const Target& to, const Secret& secret, Question question, std::vector<std::byte>& out, std::uint8_t ttl = 64,
               std::uint32_t seq_offset = 0);
/// v1: the third ACK, which carries MP_CAPABLE with the data (RFC 8684 section 3.1). v0: the data with its DSS, behind write_third_ack().
void write_data(const Identity& from, const Target& to, const Secret& secret, Question question, const Server& server, std::vector<std::byte>& out);
/// v0: MP_CAPABLE with both keys, without data (RFC 6824 section 3.1).
void write_third_ack(const Identity& from, const Target& to, const Secret& secret, const Server& server, std::vector<std::byte>& out);
/// Ends a connection that has carried our data: RST with MP_FASTCLOSE, without which Linux keeps the connection for a minute.
void write_close(const Identity& from, const Target& to, const Secret& secret, Question question, const Server& server, std::vector<std::byte>& out);
/// Ends what `ack` acknowledges: the RST that RFC 9293 section 3.10.7.1 asks for.
void write_reset(const Identity& from, const Target& to, std::uint16_t our_port, std::uint32_t ack, std::vector<std::byte>& out);

}  // namespace weir::probe::raw
