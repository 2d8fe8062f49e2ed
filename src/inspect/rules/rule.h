// A signature as a value: Suricata's rule language, parsed and checked (CONTRACT.md, "Signatures").
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ip_address.h"
#include "inspect/buffers.h"

namespace weir::inspect::rules {

enum class Action : std::uint8_t { kAlert, kDrop, kReject, kPass };
enum class Protocol : std::uint8_t { kIp, kTcp, kHttp, kTls, kDns };

/// A number that byte_extract or byte_math takes from the bytes, by its place in Rule::variables.
using Variable = std::int16_t;
inline constexpr Variable kNoVariable = -1;
inline constexpr std::size_t kMostVariables = 16;

/// [first, last], both included, in the mapped form of IpAddress.
struct AddressRange {
  IpAddress first, last;
};
/// Members minus exceptions; no members and no exceptions: any.
struct AddressGroup {
  std::vector<AddressRange> in, out;
  bool any() const { return in.empty() && out.empty(); }
  bool contains(const IpAddress& address) const;
};
struct PortRange {
  std::uint16_t first = 0, last = 0;
};
struct PortGroup {
  std::vector<PortRange> in, out;
  bool any() const { return in.empty() && out.empty(); }
  bool contains(std::uint16_t port) const;
};

/// `relative`: positions count from the end of the match before it on the same buffer (distance, within; for pcre: /R).
struct Content {
  std::vector<std::byte> bytes;
  bool nocase = false;
  bool negated = false;
  bool fast_pattern = false;
  bool relative = false;
  bool starts = false;                           ///< startswith: as offset 0, depth = its length
  bool ends = false;                             ///< endswith: the match ends where the buffer ends
  std::optional<std::int64_t> offset, depth;     ///< from the beginning: the match lies within [offset, offset + depth)
  std::optional<std::int64_t> distance, within;  ///< from the end p of the match before: within [p + distance, p + distance + within)
  /// In place of the number, which is then 0.
  Variable offset_variable = kNoVariable, depth_variable = kNoVariable, distance_variable = kNoVariable, within_variable = kNoVariable;
};
struct Pcre {
  std::string expression;
  bool caseless = false, multiline = false, dotall = false, extended = false, anchored = false, dollar_endonly = false, ungreedy = false;
  bool relative = false;
  bool negated = false;
};
enum class Compare : std::uint8_t { kEqual, kNotEqual, kLess, kGreater, kLessEqual, kGreaterEqual, kAnd, kOr };
enum class Endian : std::uint8_t { kBig, kLittle };
/// `string_base`: 0: binary; 8, 10, 16: digits.
struct ByteRead {
  std::uint32_t bytes = 0;
  std::int64_t offset = 0;
  bool relative = false;
  Endian endian = Endian::kBig;
  unsigned string_base = 0;
  std::uint64_t bitmask = 0;  ///< 0: none; the result is shifted down to the mask's lowest bit
  Variable bytes_variable = kNoVariable, offset_variable = kNoVariable;
};
struct ByteTest {
  ByteRead read;
  Compare compare = Compare::kEqual;
  bool negated = false;
  std::uint64_t value = 0;
  Variable value_variable = kNoVariable;
};
/// The number into a variable; the position is behind what was read.
struct ByteExtract {
  ByteRead read;
  std::uint64_t multiplier = 1;
  std::uint64_t align = 0;  ///< up to a multiple of it; 0: not
  Variable result = kNoVariable;
};
enum class Arithmetic : std::uint8_t { kAdd, kSubtract, kMultiply, kDivide, kShiftLeft, kShiftRight };
/// The same after a calculation in 64 bits; the mask applies to what comes out. Nothing comes of a division by 0.
struct ByteMath {
  ByteRead read;
  Arithmetic operation = Arithmetic::kAdd;
  std::uint64_t value = 0;
  Variable value_variable = kNoVariable;
  Variable result = kNoVariable;
};
struct ByteJump {
  ByteRead read;
  std::uint64_t multiplier = 1;
  std::int64_t post_offset = 0;
  bool align = false;           ///< up to a multiple of four
  bool from_beginning = false;  ///< the jump counts from the buffer's beginning
  bool from_end = false;
};
/// There are at least `bytes` more octets behind the position (relative) or the beginning.
struct IsDataAt {
  std::uint64_t bytes = 0;
  bool relative = false;
  bool negated = false;
  Variable bytes_variable = kNoVariable;  ///< in place of `bytes`, to which it is added
};
/// A number in Suricata's forms: N, <N, >N, <=N, >=N, N-M (both included), N<>M (neither included), !N.
struct NumberTest {
  std::uint64_t lowest = 0, highest = ~0ULL;
  bool negated = false;
  bool holds(std::uint64_t n) const { return (n >= lowest && n <= highest) != negated; }
};
/// The size of the buffer.
struct BufferSize {
  NumberTest size;
};
/// The buffer is a number in network order (a version, a size), and one of these holds of it, or none.
struct NumberIn {
  std::vector<NumberTest> any_of;
  bool negated = false;
};
/// The transaction has no such buffer. `or_else`: or what else the rule asks of it holds.
struct Absent {
  bool or_else = false;
};
struct Condition;
/// base64_decode: what stands there, decoded as far as it is base64 (RFC 4648), has the conditions that follow base64_data.
struct Base64 {
  std::uint64_t bytes = 0;  ///< encoded ones, at most; 0: as many as there are
  std::uint64_t offset = 0;
  bool relative = false;
  std::vector<Condition> decoded;
};

/// A transformation of a buffer before the conditions look at it.
struct Transform {
  enum class Kind : std::uint8_t {
    kDotPrefix,
    kToLowercase,
    kToUppercase,
    kStripWhitespace,
    kCompressWhitespace,
    kToMd5,
    kToSha1,
    kToSha256,
    kUrlDecode,
    kXor,
    kHeaderLowercase,
    kStripPseudoHeaders,
    kPcre
  };
  Kind kind = Kind::kDotPrefix;
  std::string argument;  ///< kXor: the key's octets; kPcre: the expression
  friend auto operator<=>(const Transform&, const Transform&) = default;
};
/// What conditions look at: a buffer, transformed. Of a buffer that a transaction has several of, each time the rule names it is another
/// search (`occurrence`).
struct Subject {
  Buffer buffer = Buffer::kStream;
  std::uint8_t occurrence = 0;
  std::vector<Transform> transforms;
  friend auto operator<=>(const Subject&, const Subject&) = default;
};

/// One condition on a buffer; those of a buffer stand in the order of the rule.
struct Condition {
  Subject subject;
  std::variant<Content, Pcre, ByteTest, ByteJump, ByteExtract, ByteMath, IsDataAt, BufferSize, NumberIn, Absent, Base64> what;
  int column = 0;  ///< in the rule's text, from 1
};

struct Flow {
  bool to_server = false, to_client = false;  ///< neither: both ways
  bool established = false, stateless = false;
  bool only_stream = false, no_stream = false;
};
struct FlowBits {
  enum class Operation : std::uint8_t { kSet, kUnset, kToggle, kIsSet, kIsNotSet, kNoAlert };
  Operation operation = Operation::kSet;
  std::vector<std::string> names;  ///< isset, isnotset: any of them
};
/// xbits: marks on hosts or pairs of hosts, for a time.
struct XBits {
  enum class Operation : std::uint8_t { kSet, kUnset, kToggle, kIsSet, kIsNotSet };
  enum class Track : std::uint8_t { kSource, kDestination, kPair };
  Operation operation = Operation::kSet;
  Track track = Track::kSource;
  std::string name;
  std::uint32_t expire_s = 30;
};
/// flowint: numbers that belong to the connection.
struct FlowInt {
  enum class Operation : std::uint8_t { kAssign, kAdd, kSubtract, kCompare, kIsSet, kIsNotSet };
  Operation operation = Operation::kAssign;
  Compare compare = Compare::kEqual;
  std::string name;
  std::uint32_t value = 0;
  std::string value_name;  ///< another one of them, in place of `value`
  bool changes() const { return operation <= Operation::kSubtract; }
};
/// stream_size: how many bytes a side has sent so far, its SYN counting as one.
struct StreamSize {
  enum class Side : std::uint8_t { kClient, kServer, kBoth, kEither };
  Side side = Side::kClient;
  NumberTest size;
};
/// app-layer-protocol.
struct Speaks {
  AppProtocol protocol = AppProtocol::kUnknown;
  bool negated = false;
};
/// threshold and detection_filter.
struct Threshold {
  enum class Kind : std::uint8_t { kLimit, kThreshold, kBoth, kDetectionFilter };
  enum class Track : std::uint8_t { kBySource, kByDestination, kByRule, kByBoth };
  Kind kind = Kind::kLimit;
  Track track = Track::kBySource;
  std::uint32_t count = 1;
  std::uint32_t seconds = 1;
};
/// mptcp.version, mptcp.subflows, mptcp.opener, mptcp.split.
struct MptcpConditions {
  std::optional<NumberTest> version, subflows;
  std::optional<bool> opened_by_server;  ///< a subflow that carried the match was opened by the server (false: by the client)
  bool split = false;
  bool any() const { return version || subflows || opened_by_server || split; }
};

struct Rule {
  Action action = Action::kAlert;
  Protocol protocol = Protocol::kTcp;
  AddressGroup src, dst;
  PortGroup src_port, dst_port;
  bool both_ways = false;  ///< <>
  std::string message;
  std::uint32_t gid = 1, sid = 0, rev = 0;
  std::string class_type, category;  ///< category: what classification says of class_type, as EVE has it
  std::uint32_t priority = 3;        ///< EVE's severity
  std::vector<std::pair<std::string, std::string>> references;
  std::vector<std::pair<std::string, std::string>> metadata;
  Flow flow;
  std::vector<FlowBits> flowbits;
  std::vector<XBits> xbits;
  std::vector<FlowInt> flowints;
  std::vector<StreamSize> stream_sizes;
  std::optional<Speaks> speaks;
  std::optional<Threshold> threshold;
  bool no_alert = false;
  MptcpConditions mptcp;
  std::optional<NumberTest> payload_size;  ///< dsize: of the segment that the match ends in
  std::vector<Condition> conditions;
  bool sets_again = false;             ///< another rule takes back a bit that this one sets: it sets it at each match
  std::vector<std::string> variables;  ///< of byte_extract and byte_math, by Variable
  std::string file;
  int line = 0;
};

}  // namespace weir::inspect::rules
