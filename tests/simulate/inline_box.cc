#include "inline_box.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>

#include "engine/engine.h"
#include "engine/inspection.h"
#include "inspect/rules/parse.h"

namespace weir::simulate {
namespace {

constexpr TimeNs kEpoch = 1'700'000'000 * kSecond;
constexpr std::string_view kSignature = "a-text-that-must-not-arrive";

std::shared_ptr<const inspect::match::RuleSet> rules() {
  auto parsed = inspect::rules::parse(fmt::format("drop tcp any any -> any any (content:\"{}\"; sid:1;)\n", kSignature), "inline", {});
  std::vector<inspect::match::Refused> refused;
  return inspect::match::RuleSet::make(std::move(parsed.rules), Limits{}, nullptr, refused);
}

/// What a scan has seen, in order.
class Scanned : public engine::Observer {
 public:
  explicit Scanned(InlineResult& result) : result_(result) {}
  void on_data(const engine::ConnectionInfo&, const engine::StreamChunk& chunk) override {
    auto& stream = result_.scanned[engine::index(chunk.direction)];
    if (chunk.offset != stream.size()) result_.wrong.push_back(fmt::format("scanned at {}, after {}", chunk.offset, stream.size()));
    stream.insert(stream.end(), chunk.bytes.begin(), chunk.bytes.end());
  }
  void on_gap(const engine::ConnectionInfo&, engine::Direction, std::uint64_t offset, std::uint64_t, TimeNs) override {
    result_.wrong.push_back(fmt::format("a gap at {}", offset));
  }
  void on_alert(const engine::AlertRecord& alert) override {
    if (alert.action == engine::AlertRecord::Action::kBlocked) ++result_.blocked_alerts;
  }

 private:
  InlineResult& result_;
};

class InlineBox : public Box {
 public:
  InlineBox(std::uint64_t seed, double hostile, InlineResult& result)
      : random_(seed ^ 0xb0cULL << 40U),
        hostile_(hostile),
        result_(result),
        scanned_(result),
        inspection_({.limits = {}, .rules = rules()}, scanned_),
        engine_(settings(), inspection_) {
    inspection_.prevent(engine_);
  }

  std::vector<Segment> pass(const Segment& segment, std::size_t, Side towards, TimeNs now) override {
    std::vector<Segment> out;
    const engine::Judgement judged = judge(segment, now);
    if (judged.passes()) {
      out.push_back(segment);
    } else {
      ++result_.refused[std::string(engine::name_of(judged.refusal))];
    }
    if (judged.unseen_path) result_.wrong.emplace_back("an acknowledgement of what never passed");
    if (judged.passes() && !segment.payload.empty() && random_.chance(hostile_)) contradict(segment, now, out);
    (void)towards;
    return out;
  }

  void on_received(Side side, std::span<const std::byte> received) override {
    std::size_t& known = result_.received[index(side)];
    // What goes to the server is the engine's direction 0.
    const auto& scanned = result_.scanned[side == Side::kServer ? 0 : 1];
    if (received.size() > scanned.size()) {
      result_.wrong.push_back(fmt::format("{} octets arrived, {} were looked at", received.size(), scanned.size()));
    } else if (received.size() > known && std::memcmp(received.data() + known, scanned.data() + known, received.size() - known) != 0) {
      result_.wrong.push_back(fmt::format("what arrived behind {} is not what was looked at", known));
    }
    known = received.size();
  }
  bool done() const override { return !result_.wrong.empty(); }

 private:
  static engine::Settings settings() {
    engine::Settings s;
    s.inline_mode = true;
    s.follow_unseen = false;
    s.checksums = engine::ChecksumPolicy::kVerify;
    return s;
  }

  engine::Judgement judge(const Segment& segment, TimeNs now) {
    std::vector<std::byte> bytes;
    write_packet(segment, WrittenChecksum::kRight, bytes);
    RawPacket packet;
    packet.bytes = bytes;
    packet.original_bytes = static_cast<std::uint32_t>(bytes.size());
    packet.time_ns = kEpoch + now;
    packet.link = LinkType::kRaw;
    return engine_.judge(packet);
  }

  /// The same sequence numbers with other bytes, another mapping or none. What passes of these goes to the host, after the original.
  void contradict(const Segment& segment, TimeNs now, std::vector<Segment>& out) {
    Segment copy = segment;
    auto& bytes = copies_.emplace_back(segment.payload.begin(), segment.payload.end());
    copy.payload = bytes;
    const auto kind = random_.below(4);
    if (kind == 0) {
      bytes[random_.below(bytes.size())] ^= std::byte{0x40};
    } else if (kind == 1) {
      for (auto& option : copy.mptcp) {
        if (auto* dss = std::get_if<wire::mptcp::Dss>(&option); dss != nullptr && dss->mapping) dss->mapping->dsn += 1 + random_.below(100);
      }
    } else if (kind == 2) {
      std::erase_if(copy.mptcp, [](const auto& option) { return std::holds_alternative<wire::mptcp::Dss>(option); });
    } else {
      for (std::byte& b : bytes) b ^= std::byte{0x11};
      copy.seq = copy.seq + static_cast<std::uint32_t>(random_.below(bytes.size()));
    }
    ++result_.hostile;
    const bool passes = judge(copy, now).passes();
    if (!passes) return;
    ++result_.hostile_passed;
    if (kind != 0) return;  // none of the simulated hosts expects these
    out.push_back(std::move(copy));
  }

  Random random_;
  double hostile_;
  InlineResult& result_;
  Scanned scanned_;
  engine::Inspection inspection_;
  engine::Engine engine_;
  std::deque<std::vector<std::byte>> copies_;
};

}  // namespace

InlineResult simulate_inline(std::uint64_t seed, bool with_signature, double hostile) {
  constexpr int kAttempts = 4;
  InlineResult result;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Scenario scenario = draw_scenario(seed, attempt);
    Random random(seed);
    for (HostParameters& host : scenario.hosts) host.maps_every_segment = true;
    Side direction = Side::kServer;
    std::size_t end = 0;
    if (with_signature) {
      direction = scenario.hosts[0].stream.size() >= kSignature.size() ? Side::kServer : Side::kClient;
      auto& stream = scenario.hosts[index(other(direction))].stream;
      if (stream.size() < kSignature.size()) stream.resize(kSignature.size() + 100);
      const std::size_t at = random.below(stream.size() - kSignature.size() + 1);
      std::memcpy(stream.data() + at, kSignature.data(), kSignature.size());
      end = at + kSignature.size();
    }
    result = {};
    InlineBox box(seed, hostile, result);
    result.ended = simulate_through(scenario, box, with_signature ? 20 * kSecond : 120 * kSecond);
    if (with_signature) {
      if (result.received[index(direction)] >= end) result.wrong.emplace_back("the signature arrived");
      if (result.ended) result.wrong.emplace_back("the transfer came to its end");
      return result;
    }
    if (result.ended || !result.wrong.empty()) break;
  }
  return result;
}

}  // namespace weir::simulate
