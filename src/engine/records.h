// What the engine says of the traffic: values that the reports write down. CONTRACT.md ("The log") gives their meaning.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/direction.h"
#include "base/endpoints.h"
#include "base/raw_packet.h"
#include "base/seq.h"
#include "inspect/anomaly.h"
#include "inspect/apps/records.h"
#include "inspect/mptcp_use.h"

namespace weir::engine {

using weir::Direction;
using weir::Endpoints;
using weir::index;
using weir::reverse;

/// What stays the same of a connection while it is reported on. A reference to it is valid during the call only.
struct ConnectionInfo {
  std::uint64_t number = 0;                ///< unique in the run, from 1
  std::string id;                          ///< mptcp.id; final (and not empty) from the first data, kEstablished or record on
  Endpoints endpoints;                     ///< the first subflow's
  bool mptcp = true;                       ///< false: plain TCP (only with all_tcp)
  std::optional<std::uint8_t> version;     ///< of MPTCP, as far as it is known
  std::uint32_t established_subflows = 0;  ///< so far
  TimeNs first_ns = 0;
};

enum class ConnectionState : std::uint8_t { kOpen, kClosed, kReset, kFallback, kRefused };
enum class FallbackReason : std::uint8_t { kNone, kNoOptionInSynAck, kNoOptionInAck, kNoDss, kInfiniteMapping, kMpFail, kVersion };
enum class SubflowState : std::uint8_t { kAttempted, kEstablished, kClosed, kReset, kFailed };
enum class Auth : std::uint8_t { kVerified, kUnverified, kFailed };

/// What the client called the server: by its look-up in DNS, or in what it then sent.
struct ServerName {
  enum class Source : std::uint8_t { kDns, kSni, kHttp };
  std::string name;
  Source source = Source::kDns;
  friend bool operator==(const ServerName&, const ServerName&) = default;
};

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
  std::vector<std::string> not_inspected;  ///< names of the limits at which rules were not followed any further
  std::vector<ServerName> names;
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
  std::vector<std::string> not_inspected;
  bool alerted = false;
  std::string app_proto;
  std::vector<ServerName> names;
};

enum class AnomalyType : std::uint8_t { kMptcp, kTcp, kDecode };
/// Inline: what became of the packet that a record tells of.
enum class RecordAction : std::uint8_t { kAllowed, kBlocked };

struct AnomalyRecord {
  TimeNs time_ns = 0;
  AnomalyType type = AnomalyType::kMptcp;
  std::string event;                         ///< a name of the catalogue, or Suricata's
  std::optional<ConnectionInfo> connection;  ///< if it concerns a known connection
  std::optional<Endpoints> endpoints;        ///< else the packet's own addresses, if there are any
  inspect::Detail detail;
  std::optional<std::pair<PointId, PointId>> between;  ///< the part of the network that it concerns: from one point to the next
  bool of_packet = false;                              ///< inline: of the packet that is under way; what becomes of that is not known yet
  std::optional<RecordAction> action;                  ///< inline: known, and of one packet
};

/// A signature that matched. CONTRACT.md, `alert`.
struct AlertRecord {
  using Action = RecordAction;
  TimeNs time_ns = 0;
  ConnectionInfo connection;
  Action action = Action::kAllowed;
  std::uint32_t gid = 1, signature_id = 0, rev = 0, severity = 3;
  std::string signature, category;
  std::vector<std::pair<std::string, std::string>> metadata;
  Direction direction = Direction::kToServer;
  std::string app_proto;                      ///< "http", "tls", "dns" or empty
  std::vector<std::uint32_t> subflows;        ///< ids of those whose delivered copies carried the matched bytes, ascending
  bool split = false;                         ///< more than one
  std::uint64_t dsn_first = 0, dsn_last = 0;  ///< offsets in the stream of the first and the last matched byte
  std::vector<ServerName> names;
  double visibility = 1.0;  ///< share of this direction's bytes so far that was seen
};

/// What the application layer of a connection said.
struct ApplicationRecord {
  ConnectionInfo connection;
  std::variant<inspect::apps::HttpRecord, inspect::apps::TlsRecord, inspect::apps::FileRecord, inspect::apps::DnsRecord> what;
};

/// DNS over UDP.
struct DnsDatagram {
  TimeNs time_ns = 0;
  Endpoints endpoints;  ///< from, to
  std::span<const std::byte> message;
};

/// A piece of the rebuilt stream, in order.
struct StreamChunk {
  Direction direction = Direction::kToServer;
  std::uint64_t offset = 0;  ///< of its first byte, from the first byte of the stream = 0; bytes in gaps count
  std::span<const std::byte> bytes;
  std::uint32_t subflow = 0;      ///< id of the subflow whose copy was delivered
  bool opened_by_server = false;  ///< that subflow
  TimeNs time_ns = 0;             ///< of the packet that made it deliverable
  TimeNs carried_ns = 0;          ///< of the packet that carried it, if it waited for keys or other subflows; 0: there was no such wait
};

/// Mapped payload as it came, before it was put in order: what a plot of data sequence numbers over time shows.
struct MappedArrival {
  Direction direction = Direction::kToServer;
  std::uint64_t offset = 0;  ///< in the stream
  std::uint64_t bytes = 0;
  std::uint32_t subflow = 0;
  bool seen_before = false;  ///< all of it had come before (reinjection)
  TimeNs time_ns = 0;
};

/// An MPTCP option that changes something, or the end of a subflow, for a timeline.
struct OptionSeen {
  TimeNs time_ns = 0;
  Direction direction = Direction::kToServer;  ///< which way it went
  std::uint32_t subflow = 0;
  std::string name;    ///< "MP_CAPABLE", "MP_JOIN", "ADD_ADDR", "REMOVE_ADDR", "MP_PRIO", "MP_FAIL", "MP_FASTCLOSE", "DATA_FIN", "FIN", "RST"
  std::string detail;  ///< a few words: an address, an address ID, backup or not
};

enum class Handshake : std::uint8_t {
  kSyn,
  kSynAck,
  kEstablished,  ///< third ACK, or the first packet that implies it
  kMidstream,    ///< no handshake was seen: data follows
};

}  // namespace weir::engine
