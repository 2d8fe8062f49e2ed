// The MPTCP options (kind 30) of RFC 6824 (v0) and RFC 8684 (v1) as values. One file per option parses and emits it;
// parse_option() in parse.h is the table of subtypes over them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include "base/ip_address.h"

namespace weir::wire::mptcp {

inline constexpr std::uint8_t kOptionKind = 30;

enum class Subtype : std::uint8_t {
  kMpCapable = 0,
  kMpJoin = 1,
  kDss = 2,
  kAddAddr = 3,
  kRemoveAddr = 4,
  kMpPrio = 5,
  kMpFail = 6,
  kMpFastclose = 7,
  kMpTcprst = 8,
  kExperimental = 15,
};

/// RFC 8684 §3.1. Keys are secrets: never logged. Lengths: v0 12 (SYN, SYN/ACK), 20; v1 4, 12, 20, 22, 24.
struct MpCapable {
  std::uint8_t version = 1;
  bool checksum_required = false;  ///< A
  bool extensibility = false;      ///< B: if set, the option is to be ignored
  bool no_join_here = false;       ///< C (v1): no joins to this address and port
  bool hmac_sha = true;            ///< H
  std::uint8_t other_flags = 0;    ///< bits D..G, as they stand (mask 0x1e); v0: C, too (0x3e)
  std::optional<std::uint64_t> sender_key;
  std::optional<std::uint64_t> receiver_key;
  std::optional<std::uint16_t> data_level_length;
  std::optional<std::uint16_t> checksum;
  friend bool operator==(const MpCapable&, const MpCapable&) = default;
};

/// RFC 8684 §3.2, length 12 (SYN).
struct MpJoinSyn {
  bool backup = false;
  std::uint8_t address_id = 0;
  std::uint32_t token = 0;  ///< of the receiver of this SYN
  std::uint32_t nonce = 0;
  friend bool operator==(const MpJoinSyn&, const MpJoinSyn&) = default;
};
/// RFC 8684 §3.2, length 16 (SYN/ACK).
struct MpJoinSynAck {
  bool backup = false;
  std::uint8_t address_id = 0;
  std::uint64_t hmac = 0;  ///< leftmost 64 bits
  std::uint32_t nonce = 0;
  friend bool operator==(const MpJoinSynAck&, const MpJoinSynAck&) = default;
};
/// RFC 8684 §3.2, length 24 (third ACK).
struct MpJoinAck {
  std::array<std::byte, 20> hmac{};
  friend bool operator==(const MpJoinAck&, const MpJoinAck&) = default;
};

/// RFC 8684 §3.3: DATA_ACK and data sequence mapping.
struct Dss {
  struct DataAck {
    std::uint64_t value = 0;
    bool wide = false;  ///< 8 octets (a)
    friend bool operator==(const DataAck&, const DataAck&) = default;
  };
  struct Mapping {
    std::uint64_t dsn = 0;
    bool wide = false;  ///< 8 octets (m)
    std::uint32_t ssn = 0;
    std::uint16_t length = 0;  ///< 0: infinite mapping; counts the DATA_FIN if F is set
    std::optional<std::uint16_t> checksum;
    friend bool operator==(const Mapping&, const Mapping&) = default;
  };
  bool data_fin = false;  ///< F
  std::optional<DataAck> data_ack;
  std::optional<Mapping> mapping;
  friend bool operator==(const Dss&, const Dss&) = default;
};

/// RFC 8684 §3.4.1 and RFC 6824 §3.4.1. `version` is that of the form: 0 has an IP version nibble and no HMAC, 1 an E flag.
struct AddAddr {
  std::uint8_t version = 1;
  bool echo = false;  ///< E (v1 only)
  std::uint8_t address_id = 0;
  IpAddress address;
  std::optional<std::uint16_t> port;
  std::optional<std::uint64_t> hmac;  ///< rightmost 64 bits, v1 with E=0 only
  friend bool operator==(const AddAddr&, const AddAddr&) = default;
};

/// RFC 8684 §3.4.2. The IDs are a view into the packet.
struct RemoveAddr {
  std::span<const std::byte> address_ids;
};

/// RFC 8684 §3.3.8; v0 may carry an address ID.
struct MpPrio {
  bool backup = false;
  std::optional<std::uint8_t> address_id;
  friend bool operator==(const MpPrio&, const MpPrio&) = default;
};

/// RFC 8684 §3.7.
struct MpFail {
  std::uint64_t dsn = 0;
  friend bool operator==(const MpFail&, const MpFail&) = default;
};

/// RFC 8684 §3.5.
struct MpFastclose {
  std::uint64_t receiver_key = 0;
  friend bool operator==(const MpFastclose&, const MpFastclose&) = default;
};

/// RFC 8684 §3.6 (v1).
struct MpTcprst {
  std::uint8_t flags = 0;  ///< U V W T, low nibble
  std::uint8_t reason = 0;
  friend bool operator==(const MpTcprst&, const MpTcprst&) = default;
};

/// Any other subtype, 15 (experimental) included: kept as it stands.
struct Unknown {
  std::uint8_t subtype = 0;
  std::span<const std::byte> bytes;  ///< the whole option
};

using Option = std::variant<MpCapable, MpJoinSyn, MpJoinSynAck, MpJoinAck, Dss, AddAddr, RemoveAddr, MpPrio, MpFail, MpFastclose, MpTcprst, Unknown>;

/// Why an option 30 is malformed. Closed.
enum class OptionError : std::uint8_t {
  kTruncated,     ///< the option's length runs past the option space, or is below 3
  kBadLength,     ///< the length is none that the subtype allows
  kBadSubtype,    ///< a subtype that the connection's version does not know (9..14; 8 in v0)
  kBadIpVersion,  ///< v0 ADD_ADDR with an IP version other than 4 or 6, or one that its length contradicts
};

/// Which TCP segment carries the option: MP_CAPABLE's and MP_JOIN's lengths depend on it.
enum class Carrier : std::uint8_t { kSyn, kSynAck, kOther };

}  // namespace weir::wire::mptcp
