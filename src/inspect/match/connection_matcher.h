// The rules on one connection: what has matched so far in its two streams and its transactions.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/direction.h"
#include "base/endpoints.h"
#include "base/raw_packet.h"
#include "inspect/buffers.h"
#include "inspect/match/compact.h"
#include "inspect/match/host_bits.h"
#include "inspect/match/provenance.h"
#include "inspect/match/rule_set.h"
#include "inspect/match/thresholds.h"

namespace weir::inspect::match {

/// What rules ask of a connection besides its bytes.
struct Facts {
  Endpoints endpoints;  ///< client to server
  std::optional<std::uint8_t> version;
  std::uint32_t subflows = 1;                    ///< established so far
  std::span<const std::uint32_t> server_opened;  ///< ids of subflows that the server opened, ascending
  AppProtocol protocol = AppProtocol::kUnknown;
};

/// A rule that matched.
struct Found {
  const rules::Rule* rule = nullptr;
  Direction direction = Direction::kToServer;
  std::vector<std::uint32_t> subflows;  ///< that carried the matched bytes, ascending
  std::uint64_t first = 0, last = 0;    ///< offsets of the first and the last matched byte
  TimeNs time_ns = 0;
};

class FoundSink {
 public:
  virtual ~FoundSink() = default;
  virtual void on_found(const Found&) = 0;
};

/// What the inspection of all connections of one thread shares. Counters only grow.
struct Shared {
  /// The memory that a search for these rules uses.
  const Scratch& scratch(const std::shared_ptr<const RuleSet>& rules) {
    if (grown_for != rules) {
      rules->grow(memory);
      grown_for = rules;
    }
    return memory;
  }

  Scratch memory;
  std::shared_ptr<const RuleSet> grown_for;  ///< kept, so that no other has its address
  Thresholds thresholds;
  HostBits host_bits;
  std::vector<Hit> hits;             ///< of the scan under way
  std::vector<std::byte> assembled;  ///< history and the bytes under way, side by side
  std::uint64_t limited_evaluations = 0, limited_pending = 0, limited_rules = 0, failed_scans = 0, forgotten_provenance = 0;
  std::uint64_t limited_flowints = 0;
};

/// Purpose: tells when a rule matches a connection: exactly when it would match the same bytes over one plain TCP connection, however they
/// were cut. Bytes come in order for each direction. Owner: one connection; one thread; bounds: kProgress, kPending, kRuns, RuleSet::limits().
class ConnectionMatcher {
 public:
  static constexpr std::size_t kProgress = 1'024;  ///< rules half matched, a direction; at it further ones are not followed
  static constexpr std::size_t kPending = 1'024;   ///< places where more bytes may decide, a direction; at it the oldest is given up
  static constexpr std::size_t kRuns = 16'384;     ///< of Provenance
  static constexpr std::size_t kThresholds = 65'536;
  static constexpr std::size_t kHostBits = 65'536;
  static constexpr std::size_t kFlowInts = 256;  ///< of a connection; at it further ones are not set

  explicit ConnectionMatcher(std::shared_ptr<const RuleSet> rules) : rules_(std::move(rules)) {}

  void data(const Facts&, Direction, std::uint64_t offset, std::span<const std::byte>, std::uint32_t subflow, TimeNs, Shared&, FoundSink&);
  /// Matching goes on behind a gap; nothing is found across it.
  void gap(Direction, std::uint64_t offset, std::uint64_t bytes);
  void stage(const Facts&, Stage, const Transaction&, TimeNs, Shared&, FoundSink&);
  /// What had to wait for it: rules for a protocol, once that is known.
  void protocol_known(const Facts&, TimeNs, Shared&, FoundSink&);
  /// The direction ends here.
  void fin(const Facts&, Direction, TimeNs, Shared&, FoundSink&);
  /// Nothing came for a while: what the scanner holds is packed.
  void pack();
  /// After pack(): writes all that there is into `out`, from which another matcher goes on. False, and nothing written: something is half found.
  bool pack_into(CompactWriter& out) const;
  /// Goes on where a matcher of these rules was packed. Not after data().
  void unpack(CompactReader& in);
  const std::shared_ptr<const RuleSet>& rules() const { return rules_; }
  /// A rule of this connection could not be followed to its end.
  bool limited() const { return limited_; }

 private:
  struct Progress {
    std::vector<std::optional<Match>> segments;
    std::vector<bool> present;  ///< by absence: it came
    std::vector<StreamRange> parts;
    bool parts_matched = false;
  };
  struct Pending {
    std::uint32_t plan = 0, segment = 0;
    Anchor anchor;
    std::size_t first_step = 0;
    std::uint64_t begin = 0;  ///< what has to be kept of the stream
    std::uint64_t wanted = 0;
  };
  /// A hit of a segment while the segment before it may still turn out to match.
  struct Deferred {
    Meaning meaning;
    std::uint64_t end = 0;
    std::uint64_t begin = 0;  ///< what has to be kept of the stream
  };
  /// What a direction has only while something is half found, or was found.
  struct Waiting {
    std::vector<Pending> pending;
    std::vector<Deferred> deferred;
    std::map<std::uint32_t, Progress> progress;
    std::vector<std::uint32_t> told;      ///< plans that have alerted, ascending; those that count on have not
    std::vector<std::uint32_t> counting;  ///< plans that have alerted and count on, ascending
    bool settled = false;                 ///< something pending was decided: what was deferred may go on
    bool only_told() const { return pending.empty() && deferred.empty() && progress.empty(); }
    bool empty() const { return only_told() && told.empty() && counting.empty(); }
  };
  struct Side {
    const PortGroup* group = nullptr;
    ScanState scan;
    std::uint64_t scan_base = 0;  ///< the stream's offset where the scanner began
    std::uint64_t next = 0;
    Provenance provenance;
    std::vector<std::byte> history;  ///< the bytes before `next`
    std::unique_ptr<Waiting> waiting;
    std::uint32_t decided = 0;        ///< of PortGroup::decisions, those that have been checked
    std::uint16_t ports[2] = {0, 0};  ///< client's, server's: what `group` is for
    bool ended = false;
  };
  /// One call's parameters, passed on.
  struct Call {
    const Facts& facts;
    Direction direction;
    std::span<const std::byte> bytes;
    TimeNs now;
    Shared& shared;
    FoundSink& sink;
    std::optional<Window> window;
    std::optional<std::uint64_t> looking_at;  ///< the hits behind this offset have not been looked at
  };

  Side& side(const Call& call) { return opened(call.direction); }
  Side& opened(Direction d);
  static Waiting& waiting(Side& side);
  const Progress* found_so_far(const Side& side, std::uint32_t plan) const;
  void begin(const Facts& facts, Direction d);
  const Window& window(Call& call);
  /// Hits by their ends; those of one end by the order of the rules.
  void look_at(Call& call, std::span<const Hit> hits);
  void on_hit(Call& call, const Meaning& meaning, std::uint64_t end);
  void try_segment(Call& call, std::uint32_t plan, std::uint32_t index, Anchor anchor, std::size_t first_step, std::uint64_t begin);
  void retry(Call& call, std::uint32_t plan, std::uint32_t segment);
  void retry_all(Call& call);
  void defer(Call& call, const Meaning& meaning, std::uint64_t end);
  bool is_pending(const Side& side, std::uint32_t plan, std::uint32_t segment) const;
  bool take(Call& call, std::uint32_t plan, std::uint32_t segment, const Match& match);
  bool complete(Call& call, std::uint32_t plan, const Match* only);
  bool conditions_hold(const Call& call, const Plan& plan) const;
  bool header_matches(const Call& call, const rules::Rule& rule) const;
  void check_passes(const Call& call);
  void check_bare(Call& call);
  void check_decided(Call& call);
  void complete_waiting(Call& call);
  Progress* progress(Side& side, std::uint32_t plan);
  bool was_told(const Side& side, std::uint32_t plan) const;
  bool flowbits_hold(const rules::Rule& rule) const;
  bool set_flowbits(const rules::Rule& rule);
  bool flowints_hold(const rules::Rule& rule) const;
  void change_flowints(const rules::Rule& rule, Shared& shared);
  bool sizes_hold(const rules::Rule& rule) const;
  bool part_holds(const PartSteps& steps, const Transaction& transaction, Shared& shared, std::vector<StreamRange>& ranges);
  void keep_history(Side& side, std::span<const std::byte> bytes);

  std::shared_ptr<const RuleSet> rules_;
  std::unique_ptr<Side> sides_[2];
  std::set<std::string> flowbits_;
  std::map<std::string, std::uint32_t> flowints_;
  bool passed_ = false;  ///< a pass rule matched
  bool limited_ = false;
};

}  // namespace weir::inspect::match
