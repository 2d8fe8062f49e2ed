// Everything that is random about a simulation, drawn from its seed before it starts.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "network.h"

namespace weir::simulate {

enum class Scheduler : std::uint8_t { kRandom, kRoundRobin, kLowestFirst };

struct HostParameters {
  std::uint64_t key = 0;
  std::vector<std::byte> stream;  ///< what its application sends
  bool requires_checksum = false;
  std::uint16_t mss = 1460;
  std::uint8_t window_scale = 7;
  std::uint32_t receive_buffer = 1 << 20;
  TimeNs read_pause_ns = 0;              ///< between the application's reads; 0: reads at once
  std::uint32_t write_octets = 1 << 20;  ///< that its application writes at a time
  TimeNs write_pause_ns = 0;
  double wide_dsn = 1, wide_ack = 1;  ///< how often the 8-octet forms are used
  bool maps_every_segment = true;     ///< as Linux does; else only the segment that holds the mapping's first octet
  std::uint32_t shortest_mapping = 1, longest_mapping = 1'400;
  double odd_cut = 0;         ///< how often a segment is cut shorter than it could be
  bool oversized = false;     ///< segments longer than the MSS, as segmentation offload shows them
  double redundant = 0;       ///< how often a mapping is sent on a second subflow at once
  double reinject = 0;        ///< how often a retransmission time-out sends its subflow's data on others, too
  double data_fin_alone = 0;  ///< how often the DATA_FIN does not go with the last mapping
  bool announces = false;     ///< sends ADD_ADDR for its addresses
  Scheduler scheduler = Scheduler::kRandom;
  std::uint32_t timestamp_base = 0;
};

struct JoinPlan {
  Side opener = Side::kClient;
  std::size_t path = 0;
  bool backup = false;
  TimeNs after_ns = 0;  ///< from the time when the opener may open subflows
};

/// A subflow that ends before its connection.
struct Departure {
  Side by = Side::kClient;
  std::size_t subflow = 0;  ///< which of those that `by` still uses, modulo their number; the last one stays
  bool reset = false;
  bool removes_address = false;  ///< REMOVE_ADDR, and every subflow of that address goes
  TimeNs after_ns = 0;           ///< from the time when all subflows are there
};

struct PriorityChange {
  Side by = Side::kClient;
  TimeNs after_ns = 0;
  bool backup = false;
};

struct Scenario {
  std::uint64_t seed = 0;
  int attempt = 0;  ///< more than 0: drawn again with a better network, as the transfer did not end in time
  int version = 1;
  bool timestamps = true, sack = true;
  bool eager = false;  ///< v1: the client sends more than its first segment before it heard of the server's state
  std::uint32_t congestion_window = 64'000;
  TimeNs time_out_ns = 300 * kMillisecond;
  TimeNs delayed_ack_ns = 40 * kMillisecond;
  std::array<HostParameters, 2> hosts;  ///< by Side
  std::vector<Path> paths;
  std::vector<std::array<IpAddress, 2>> addresses;  ///< of a path, by Side; the client's as it knows it itself
  std::uint16_t server_port = 443;
  std::vector<JoinPlan> joins;
  std::vector<Departure> departures;
  std::vector<PriorityChange> priorities;
  std::vector<CapturePoint> points;
  bool engine_may_keep = false;  ///< packets stay in memory (RawPacket::stays)
  std::size_t engine_batch = 1;
  std::string layout;  ///< of the capture points, in words

  bool uses_checksum() const { return hosts[0].requires_checksum || hosts[1].requires_checksum; }
};

Scenario draw_scenario(std::uint64_t seed, int attempt);

/// One line for the report of a failure.
std::string describe(const Scenario& scenario);

}  // namespace weir::simulate
