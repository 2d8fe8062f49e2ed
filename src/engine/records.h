// What the engine says of the traffic: values that the reports write down. CONTRACT.md ("The log") gives their meaning.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "base/raw_packet.h"
#include "base/seq.h"
#include "inspect/anomaly.h"

namespace weir::engine {

/// Of a connection: the client is the opener of its first subflow.
enum class Direction : std::uint8_t { kToServer = 0, kToClient = 1 };
constexpr Direction reverse(Direction d) { return d == Direction::kToServer ? Direction::kToClient : Direction::kToServer; }
constexpr std::size_t index(Direction d) { return static_cast<std::size_t>(d); }

/// Client to server, as the log has them.
struct Endpoints {
  IpAddress src, dst;
  std::uint16_t src_port = 0, dst_port = 0;
  friend auto operator<=>(const Endpoints&, const Endpoints&) = default;
};

/// What stays the same of a connection while it is reported on. A reference to it is valid during the call only.
struct ConnectionInfo {
  std::uint64_t number = 0;  ///< unique in the run, from 1
  std::string id;            ///< mptcp.id; final (and not empty) from the first data, kEstablished or record on
  Endpoints endpoints;       ///< the first subflow's
  bool mptcp = true;         ///< false: plain TCP (only with all_tcp)
  TimeNs first_ns = 0;
};

enum class ConnectionState : std::uint8_t { kOpen, kClosed, kReset, kFallback, kRefused };
enum class FallbackReason : std::uint8_t { kNone, kNoOptionInSynAck, kNoOptionInAck, kNoDss, kInfiniteMapping, kMpFail, kVersion };
enum class SubflowState : std::uint8_t { kAttempted, kEstablished, kClosed, kReset, kFailed };
enum class Auth : std::uint8_t { kVerified, kUnverified, kFailed };

struct SubflowRecord {
  std::uint32_t id = 0;
  Endpoints endpoints;             ///< src is the client's side of the connection, whoever opened the subflow
  std::vector<Endpoints> seen_as;  ///< other addresses of it, at other capture points (NAT)
  bool opened_by_server = false;
  std::uint8_t address_id = 0;
  bool backup = false;
  Auth auth = Auth::kUnverified;
  SubflowState state = SubflowState::kAttempted;
  std::uint64_t bytes[2] = {0, 0};  ///< by Direction: subflow-level payload, each byte once
  std::vector<PointId> points;
};

struct ConnectionRecord {
  ConnectionInfo info;
  TimeNs last_ns = 0;
  std::optional<std::uint8_t> version;
  ConnectionState state = ConnectionState::kOpen;
  FallbackReason fallback_reason = FallbackReason::kNone;
  bool checksum = false;
  bool midstream = false;
  std::uint64_t bytes[2] = {0, 0};      ///< rebuilt in order from the start, up to the first gap
  std::uint64_t gap_bytes[2] = {0, 0};  ///< acknowledged but never seen, those cut by the snap length included
  double visibility = 1.0;
  std::uint64_t duplicate_bytes = 0;
  std::vector<SubflowRecord> subflows;
};

/// A plain TCP connection, with all_tcp.
struct FlowRecord {
  ConnectionInfo info;
  TimeNs last_ns = 0;
  ConnectionState state = ConnectionState::kOpen;
  bool midstream = false;
  std::uint64_t bytes[2] = {0, 0};
  std::uint64_t gap_bytes[2] = {0, 0};
  std::uint64_t packets[2] = {0, 0};
};

enum class AnomalyType : std::uint8_t { kMptcp, kTcp, kDecode };

struct AnomalyRecord {
  TimeNs time_ns = 0;
  AnomalyType type = AnomalyType::kMptcp;
  std::string event;                         ///< a name of the catalogue, or Suricata's
  std::optional<ConnectionInfo> connection;  ///< if it concerns a known connection
  std::optional<Endpoints> endpoints;        ///< else the packet's own addresses, if there are any
  inspect::Detail detail;
};

/// A piece of the rebuilt stream, in order.
struct StreamChunk {
  Direction direction = Direction::kToServer;
  std::uint64_t offset = 0;  ///< of its first byte, from the first byte of the stream = 0; bytes in gaps count
  std::span<const std::byte> bytes;
  std::uint32_t subflow = 0;  ///< id of the subflow whose copy was delivered
  TimeNs time_ns = 0;         ///< of the packet that made it deliverable
};

enum class Handshake : std::uint8_t {
  kSyn,
  kSynAck,
  kEstablished,  ///< third ACK, or the first packet that implies it
  kMidstream,    ///< no handshake was seen: data follows
};

}  // namespace weir::engine
