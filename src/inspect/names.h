// Which name a client resolved to reach a server: DNS answers go in, names of connections come out.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "base/endpoints.h"
#include "base/raw_packet.h"
#include "inspect/apps/records.h"

namespace weir::inspect {

/// Purpose: what each client resolved last for each address. A name holds for connections that begin between its answer and the end of its TTL.
/// Invariant: at most `most` names and as many open queries; at the limit the oldest goes, and is counted. Over UDP only an answer to a query that was
/// seen counts: anyone can send a datagram from port 53. One owner at a time; no I/O; time is that of packets.
class NameTable {
 public:
  explicit NameTable(std::size_t most) : most_(most) {}

  /// A message of DNS over UDP.
  void datagram(const Endpoints& from_to, const apps::DnsRecord& message, TimeNs now);
  /// An answer that `client` got for certain (over TCP).
  void answer(const IpAddress& client, const apps::DnsRecord& message, TimeNs now);
  /// The name by which `client` knew `server` at that time.
  std::optional<std::string> find(const IpAddress& client, const IpAddress& server, TimeNs at) const;

  std::size_t size() const { return names_.size(); }
  std::uint64_t evicted() const { return evicted_; }
  /// Answers to no query that was seen, and those to another question.
  std::uint64_t unasked() const { return unasked_; }
  /// Names of other octets than host names have.
  std::uint64_t odd() const { return odd_; }

 private:
  struct Pair {
    IpAddress client, server;
    friend bool operator==(const Pair&, const Pair&) = default;
  };
  struct Query {
    Endpoints client_to_resolver;
    std::uint16_t id = 0;
    std::string name;  ///< lower case
    friend bool operator==(const Query&, const Query&) = default;
  };
  struct Hash {
    std::size_t operator()(const Pair& pair) const;
    std::size_t operator()(const Query& query) const;
  };
  struct Name {
    Pair pair;
    std::string name;
    TimeNs from_ns = 0, until_ns = 0;
  };
  struct Asked {
    Query query;
    TimeNs time_ns = 0;
  };
  template <typename Value>
  using List = std::list<Value>;

  void learn(const Pair& pair, const std::string& name, std::uint32_t ttl_s, TimeNs now);

  std::size_t most_;
  List<Name> order_;  ///< learnt last: first
  boost::unordered_flat_map<Pair, List<Name>::iterator, Hash> names_;
  List<Asked> asked_order_;
  boost::unordered_flat_map<Query, List<Asked>::iterator, Hash> asked_;
  std::uint64_t evicted_ = 0, unasked_ = 0, odd_ = 0;
};

}  // namespace weir::inspect
