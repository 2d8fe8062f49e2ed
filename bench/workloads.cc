#include "workloads.h"

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <vector>

#include "mptcp_writer.h"

namespace weir::bench {
namespace {

constexpr unsigned kClient = 0, kServer = 1;
constexpr std::uint32_t kSegmentsAMapping = 10;
constexpr std::uint32_t kMptcpOctets = kMptcpPayload;

/// The client asks, which ends the handshake; only then the other subflows are opened.
void open_and_ask(TcpWriter& out, MptcpConnection& connection, const PayloadPool& requests, std::uint64_t number) {
  for (unsigned step = 0; step < MptcpConnection::handshake_steps(0); ++step) connection.handshake(out, 0, step);
  connection.send(out, 0, kClient, connection.map(0, kClient, requests.size()), 0, requests.piece(number));
  connection.acknowledge(out, 0, kServer);
  for (unsigned subflow = 1; subflow < connection.subflows(); ++subflow) {
    for (unsigned step = 0; step < MptcpConnection::handshake_steps(subflow); ++step) connection.handshake(out, subflow, step);
  }
}

/// One mapping on each subflow, sent in lockstep.
void bulk_round(TcpWriter& out, MptcpConnection& connection, const PayloadPool& pool, std::uint64_t& number) {
  const unsigned subflows = connection.subflows();
  std::vector<DataMapping> mappings;
  for (unsigned i = 0; i < subflows; ++i) mappings.push_back(connection.map(i, kServer, kSegmentsAMapping * kMptcpOctets));
  for (std::uint32_t row = 0; row < kSegmentsAMapping; ++row) {
    for (unsigned i = 0; i < subflows; ++i) {
      connection.send(out, i, kServer, mappings[i], row * kMptcpOctets, pool.piece(number++));
      if (row % 2 == 0) continue;
      // In DSN order, what is there: nothing of a later mapping counts before the one before it is whole.
      const bool last_row = row + 1 == kSegmentsAMapping;
      const std::uint64_t in_order =
          last_row ? mappings[i].dsn + mappings[i].length + (i + 1 < subflows ? row * kMptcpOctets : 0) : mappings[0].dsn + (row + 1) * kMptcpOctets;
      connection.acknowledge(out, i, kClient, mappings[i].position + (row + 1) * kMptcpOctets, in_order);
    }
  }
}

/// Takes a block's segments in any order, and knows what is there in order: on the two subflows, and of the connection.
class BlockReceiver {
 public:
  explicit BlockReceiver(std::size_t segments) : here_(segments) {}
  void take(std::size_t segment) { here_[segment] = true; }
  /// Moves `at` past the segments that are there, looking at every `stride`-th.
  void pass(std::size_t& at, std::size_t stride) const {
    while (at < here_.size() && here_[at]) at += stride;
  }

 private:
  std::vector<bool> here_;
};

}  // namespace

void bulk_mptcp(TcpWriter& out, std::uint64_t bytes, unsigned subflows, std::uint64_t connection_bytes) {
  const PayloadPool pool(kMptcpPayload), requests(100);
  std::uint64_t number = 0;
  for (std::uint64_t connection_number = 0; out.stream().bytes() < bytes; ++connection_number) {
    MptcpConnection connection(connection_number, subflows);
    open_and_ask(out, connection, requests, connection_number);
    const std::uint64_t end = std::min(bytes, out.stream().bytes() + connection_bytes);
    while (out.stream().bytes() < end) bulk_round(out, connection, pool, number);
    connection.close(out);
  }
}

void reordered_mptcp(TcpWriter& out, std::uint64_t bytes, std::uint64_t depth) {
  const PayloadPool pool(kMptcpPayload), requests(100);
  MptcpConnection connection(0, 2);
  open_and_ask(out, connection, requests, 0);
  std::uint64_t number = 0;
  std::vector<DataMapping> mappings(depth);
  std::vector<std::size_t> order(depth);
  while (out.stream().bytes() < bytes) {
    for (std::size_t i = 0; i < depth; ++i) mappings[i] = connection.map(i % 2, kServer, kMptcpOctets);
    std::iota(order.begin(), order.end(), 0U);
    for (std::size_t i = depth; i > 1; --i) std::swap(order[i - 1], order[mix(number + i) % i]);
    BlockReceiver receiver(depth);
    std::array<std::size_t, 2> subflow_at{0, 1};
    std::size_t stream_at = 0;
    std::array<bool, 2> second{};
    for (const std::size_t i : order) {
      const unsigned subflow = i % 2;
      connection.send(out, subflow, kServer, mappings[i], 0, pool.piece(number++));
      receiver.take(i);
      second[subflow] = !second[subflow];
      if (second[subflow]) continue;
      receiver.pass(subflow_at[subflow], 2);
      receiver.pass(stream_at, 1);
      const auto whole = static_cast<std::uint32_t>(subflow_at[subflow] / 2);  // segments of this subflow
      const std::uint32_t position = mappings[subflow].position + whole * kMptcpOctets;
      connection.acknowledge(out, subflow, kClient, position, mappings[0].dsn + stream_at * kMptcpOctets);
    }
    for (unsigned subflow = 0; subflow < std::min<std::size_t>(2, depth); ++subflow) connection.acknowledge(out, subflow, kClient);
  }
  connection.close(out);
}

void bulk_plain(TcpWriter& out, std::uint64_t bytes, std::uint64_t flows) {
  constexpr unsigned kTurn = 8;
  const PayloadPool pool(kPlainPayload), requests(100);
  std::vector<Flow> all(flows);
  std::uint64_t number = 0;
  for (std::uint64_t i = 0; i < flows; ++i) {
    all[i].address = {static_cast<std::uint32_t>(0x0a000001U + i / 40'000), 0xc6336401U};
    all[i].port = {static_cast<std::uint16_t>(20'000 + i % 40'000), kServerPort};
    all[i].isn = {static_cast<std::uint32_t>(mix(i)), static_cast<std::uint32_t>(mix(i) >> 32U)};
    out.open(all[i]);
    out.data(all[i], kClient, requests.piece(i));
  }
  while (out.stream().bytes() < bytes) {
    for (Flow& flow : all) {
      for (unsigned i = 0; i < kTurn; ++i) {
        out.data(flow, kServer, pool.piece(number++));
        if (i % 2 == 1) out.acknowledge(flow, kClient);
      }
    }
  }
  for (Flow& flow : all) out.close(flow);
}

void concurrent_mptcp(TcpWriter& out, std::uint64_t connections, std::uint64_t packets) {
  constexpr std::size_t kAnswer = 200;
  const PayloadPool requests(100), answers(kAnswer);
  // A round lasts some seconds at most: no timer of a tracker may end what only waits for its turn.
  out.stream().set_pace(2);
  std::vector<MptcpConnection> all;
  all.reserve(connections);
  for (std::uint64_t i = 0; i < connections; ++i) all.emplace_back(i, 1);
  for (unsigned step = 0; step < MptcpConnection::handshake_steps(0); ++step) {
    for (auto& connection : all) connection.handshake(out, 0, step);
  }
  std::uint64_t number = 0;
  do {
    for (auto& connection : all) connection.send(out, 0, kClient, connection.map(0, kClient, requests.size()), 0, requests.piece(number++));
    for (auto& connection : all) connection.send(out, 0, kServer, connection.map(0, kServer, answers.size()), 0, answers.piece(number++));
    for (auto& connection : all) connection.acknowledge(out, 0, kClient);
  } while (out.stream().packets() < packets);
}

void idle_mptcp(TcpWriter& out, std::uint64_t connections) {
  const PayloadPool requests(100), answers(200);
  out.stream().set_pace(2);
  for (std::uint64_t i = 0; i < connections; ++i) {
    MptcpConnection connection(i, 1);
    for (unsigned step = 0; step < MptcpConnection::handshake_steps(0); ++step) connection.handshake(out, 0, step);
    connection.send(out, 0, kClient, connection.map(0, kClient, requests.size()), 0, requests.piece(i));
    connection.send(out, 0, kServer, connection.map(0, kServer, answers.size()), 0, answers.piece(i));
    connection.acknowledge(out, 0, kClient);
  }
}

void mixed_mptcp(TcpWriter& out, std::uint64_t packets, std::uint64_t connections) {
  constexpr std::size_t kAtOnce = 5'000;
  constexpr std::array<std::size_t, 4> kSizes{80, 200, 400, 1'200};
  std::vector<PayloadPool> pools;
  for (const std::size_t size : kSizes) pools.emplace_back(size);
  const PayloadPool requests(100);

  struct Running {
    std::unique_ptr<MptcpConnection> connection;
    std::uint64_t end = 0, sent = 0, number = 0;
  };
  std::vector<Running> running;
  std::uint64_t begun = 0, turn = 0;
  const std::uint64_t mean = packets / connections;
  while (begun < connections || !running.empty()) {
    if (begun < connections && running.size() < kAtOnce) {
      Running next{.connection = std::make_unique<MptcpConnection>(begun, 1 + static_cast<unsigned>(mix(begun) % 4)), .number = begun};
      const std::uint64_t before = out.stream().packets();
      open_and_ask(out, *next.connection, requests, begun);
      const std::uint64_t wanted = mean / 2 + mix(begun * 7) % std::max<std::uint64_t>(mean, 1);
      next.sent = out.stream().packets() - before + 16;  // the close needs some, too
      next.end = wanted;
      running.push_back(std::move(next));
      ++begun;
    }
    Running& chosen = running[mix(turn) % running.size()];
    MptcpConnection& connection = *chosen.connection;
    for (unsigned i = 0; i < 4; ++i) {
      const auto subflow = static_cast<unsigned>(mix(turn + i) % connection.subflows());
      const unsigned from = mix(turn * 3 + i) % 4 == 0 ? kClient : kServer;
      const PayloadPool& pool = pools[mix(turn * 5 + i) % pools.size()];
      connection.send(out, subflow, from, connection.map(subflow, from, pool.size()), 0, pool.piece(turn + i));
      connection.acknowledge(out, subflow, 1 - from);
      chosen.sent += 2;
    }
    ++turn;
    if (chosen.sent < chosen.end) continue;
    if (chosen.number % 8 != 0) connection.close(out);
    std::swap(chosen, running.back());
    running.pop_back();
  }
}

}  // namespace weir::bench
