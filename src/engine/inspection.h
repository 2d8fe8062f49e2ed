// Inspection between the engine and the reports: rules and applications over every rebuilt stream.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/engine.h"
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
/// packed unless it is among the `hot_streams` used last: into one block, or part by part where something is half found or an application
/// is being read. One owner, one thread.
class Inspection : public Observer {
 public:
  Inspection(InspectionSettings settings, Observer& next);
  ~Inspection() override;

  /// Inline: from now on a match of a drop or reject rule blocks its direction of the connection, and its alert says so.
  void prevent(Engine& engine) { engine_ = &engine; }
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
  void on_gone(std::uint64_t number) override;
  void on_anomaly(const AnomalyRecord&) override;
  void on_mptcp_use(const ConnectionInfo&, const inspect::MptcpUse&) override;
  void on_dns_datagram(const DnsDatagram&) override;
  void on_mapped(const ConnectionInfo&, const MappedArrival&) override;
  void on_option(const ConnectionInfo&, const OptionSeen&) override;

 private:
  struct Head;
  struct Connection;
  struct Packed;
  class Told;
  /// One connection, in either form. The table has nothing but the pointer: the number is in what it points to.
  class Entry {
   public:
    explicit Entry(std::unique_ptr<Connection> c);
    Entry(Entry&& other) noexcept : at_(std::exchange(other.at_, nullptr)) {}
    Entry& operator=(Entry&& other) noexcept {
      std::swap(at_, other.at_);
      return *this;
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry();
    std::uint64_t number() const;
    Connection* connection() const;  ///< none: it is packed
    Packed* packed() const;
    /// The same connection in its other form. The table's order depends on the number alone.
    void become(std::unique_ptr<Connection> c) const;
    void become(std::unique_ptr<Packed> p) const;
    std::unique_ptr<Connection> release() const;

   private:
    mutable Head* at_ = nullptr;  ///< owned
  };
  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    std::size_t operator()(std::uint64_t number) const;
    std::size_t operator()(const Entry& entry) const { return operator()(entry.number()); }
  };
  struct Same {
    using is_transparent = void;
    bool operator()(const Entry& a, const Entry& b) const { return a.number() == b.number(); }
    bool operator()(std::uint64_t a, const Entry& b) const { return a == b.number(); }
    bool operator()(const Entry& a, std::uint64_t b) const { return a.number() == b; }
  };
  Connection& connection(const ConnectionInfo& info);
  Connection* known(std::uint64_t number);
  void pack(Connection& c);
  std::unique_ptr<Connection> unpack(Packed& p);
  static inspect::match::Facts facts_of(const Connection& c, const ConnectionInfo& info);
  void touch(Connection& c);
  void fin(Connection& c, const ConnectionInfo& info, Direction d, TimeNs now);
  void end(const ConnectionInfo& info, TimeNs now);
  std::unique_ptr<Connection> take(std::uint64_t number);

  InspectionSettings settings_;
  inspect::apps::ApplicationSettings application_settings_;
  Observer& next_;
  Engine* engine_ = nullptr;  ///< inline
  inspect::match::Shared shared_;
  boost::unordered_flat_set<Entry, Hash, Same> connections_;
  /// What packed connections go on with, and how many do: a set that was replaced stays until the last one of its connections is over.
  struct RulesInUse {
    std::shared_ptr<const inspect::match::RuleSet> rules;
    std::uint64_t packed = 0;
  };
  std::map<std::uint64_t, RulesInUse> rules_in_use_;
  inspect::match::CompactWriter writer_;
  std::list<Connection*> hot_;  ///< used last: first
  std::uint64_t limited_depth_ = 0, limited_connections_ = 0, alerts_ = 0;
};

}  // namespace weir::engine
