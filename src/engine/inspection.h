// Inspection between the engine and the reports: rules and applications over every rebuilt stream.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/observer.h"
#include "inspect/apps/application.h"
#include "inspect/match/connection_matcher.h"

namespace weir::engine {

struct InspectionSettings {
  Limits limits;
  std::shared_ptr<const inspect::match::RuleSet> rules;  ///< none: nothing is looked for
  bool applications = true;                              ///< http, tls, files, dns
  bool files = true;
};

/// Purpose: takes what the engine tells, looks at the streams, and passes everything on, with alerts and application records between.
/// Invariant: what it tells of a connection comes before that connection's record. Memory: a state for each connection that has had data,
/// packed unless it is among the `hot_streams` used last. One owner, one thread.
class Inspection : public Observer {
 public:
  Inspection(InspectionSettings settings, Observer& next);
  ~Inspection() override;

  /// Connections that begin from now on are matched against these; running ones go on with theirs.
  void use(std::shared_ptr<const inspect::match::RuleSet> rules);
  /// Name and value of what was not looked at, and why.
  std::vector<std::pair<std::string_view, std::uint64_t>> counters() const;

  void on_handshake(const ConnectionInfo&, Handshake, TimeNs) override;
  void on_data(const ConnectionInfo&, const StreamChunk&) override;
  void on_gap(const ConnectionInfo&, Direction, std::uint64_t offset, std::uint64_t bytes, TimeNs) override;
  void on_ack(const ConnectionInfo&, Direction, std::uint64_t offset, TimeNs) override;
  void on_fin(const ConnectionInfo&, Direction, TimeNs) override;
  void on_reset(const ConnectionInfo&, Direction, TimeNs) override;
  void on_connection(const ConnectionRecord&) override;
  void on_flow(const FlowRecord&) override;
  void on_anomaly(const AnomalyRecord&) override;
  void on_mapped(const ConnectionInfo&, const MappedArrival&) override;
  void on_option(const ConnectionInfo&, const OptionSeen&) override;

 private:
  struct Connection;
  class Told;
  Connection& connection(const ConnectionInfo& info);
  static inspect::match::Facts facts_of(const Connection& c, const ConnectionInfo& info);
  void touch(Connection& c);
  void fin(Connection& c, const ConnectionInfo& info, Direction d, TimeNs now);
  void end(const ConnectionInfo& info, TimeNs now);
  std::unique_ptr<Connection> take(std::uint64_t number);

  InspectionSettings settings_;
  inspect::apps::ApplicationSettings application_settings_;
  Observer& next_;
  inspect::match::Shared shared_;
  boost::unordered_flat_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::list<Connection*> hot_;  ///< used last: first
  std::uint64_t limited_depth_ = 0, limited_connections_ = 0, alerts_ = 0;
};

}  // namespace weir::engine
