// The summary for people: connections, their subflows, what was noticed, and totals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "engine/observer.h"
#include "report/eve.h"
#include "report/terminal.h"

namespace weir::report {

/// Purpose: gathers what the summary says. Up to kConnections connections are all listed; of more, totals and the
/// kMostInteresting of them: those with anomalies, with data that was not seen, with most subflows and bytes.
/// Invariant: memory does not grow with the input beyond these constants. One owner, one thread.
class Summary : public engine::Observer {
 public:
  static constexpr std::size_t kConnections = 50;
  static constexpr std::size_t kMostInteresting = 20;
  static constexpr std::size_t kSubflows = 8;        // listed under a connection
  static constexpr std::size_t kNoted = 65'536;      // live connections with anomalies that are told apart
  static constexpr std::size_t kSignatures = 4'096;  // told apart
  static constexpr std::size_t kAlertLines = 50;     // listed
  static constexpr std::size_t kEventNames = 256;    // names are of closed sets: this only guards

  explicit Summary(PointNames points) : points_(std::move(points)) {}

  void on_connection(const engine::ConnectionRecord& record) override;
  void on_flow(const engine::FlowRecord& record) override;
  void on_anomaly(const engine::AnomalyRecord& record) override;
  void on_alert(const engine::AlertRecord& record) override;

  std::string text(std::span<const NamedCounter> counters, const TextStyle& style) const;

 private:
  struct Line {
    double interest = 0;
    TimeNs first_ns = 0;
    std::string id, version, state;
    engine::Endpoints endpoints;
    std::uint64_t bytes[2] = {0, 0};
    double visibility = 1;
    std::string notable;
    std::size_t subflow_count = 0;
    std::vector<engine::SubflowRecord> subflows;  // the first ones
  };
  struct Noted {
    std::uint32_t events = 0;  // bit set, by inspect::Event
    std::uint32_t count = 0;
    std::uint32_t alerts = 0;
  };
  struct Alerted {
    std::uint64_t count = 0, split = 0;
    std::string message, first_id, first_subflows;
    std::uint64_t first_dsn = 0, last_dsn = 0;
    std::uint32_t severity = 3;
    std::string way;
  };
  struct Seen {
    std::uint64_t count = 0;
    std::string first_id;  // of the connection it was first seen on
    std::string first_detail;
    std::string first_place;  // in the network, as a sentence
  };

  Noted take_notes(std::uint64_t number);
  bool wanted(double interest) const { return lines_.size() < kConnections || interest > lines_.front().interest; }
  void keep(Line line);
  std::string connections_text(const TextStyle& style) const;
  std::string alerts_text(const TextStyle& style) const;
  std::string anomalies_text(const TextStyle& style) const;
  std::string totals_text(std::span<const NamedCounter> counters, const TextStyle& style) const;

  PointNames points_;
  std::vector<Line> lines_;  // a heap once it is full: the least interesting in front
  boost::unordered_flat_map<std::uint64_t, Noted> noted_;
  std::map<std::string, Seen> events_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Alerted> alerts_;  // by gid and sid
  std::uint64_t connections_ = 0, flows_ = 0, subflows_ = 0;
  std::uint64_t states_[5] = {};  // by ConnectionState
  std::uint64_t bytes_[2] = {0, 0}, gap_bytes_[2] = {0, 0}, duplicate_bytes_ = 0;
};

}  // namespace weir::report
