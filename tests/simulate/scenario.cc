#include "scenario.h"

#include <fmt/format.h>

#include <algorithm>

#include "secrets.h"

namespace weir::simulate {
namespace {

/// Wraps of the DSN's low 32 bits are wanted within the stream, so its IDSN has to be this close to one.
constexpr std::uint32_t kCloseToWrap = 100'000;

IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  const std::array<std::byte, 4> octets{std::byte{a}, std::byte{b}, std::byte{c}, std::byte{d}};
  return IpAddress::v4(octets);
}

IpAddress v6(std::uint16_t prefix, std::uint16_t second, std::uint8_t net, std::uint8_t host) {
  std::array<std::byte, 16> octets{};
  octets[0] = static_cast<std::byte>(prefix >> 8U);
  octets[1] = static_cast<std::byte>(prefix);
  octets[2] = static_cast<std::byte>(second >> 8U);
  octets[3] = static_cast<std::byte>(second);
  octets[7] = static_cast<std::byte>(net);
  octets[15] = static_cast<std::byte>(host);
  return IpAddress::v6(octets);
}

/// Draws one scenario; every step uses what the ones before it decided.
class Draw {
 public:
  Draw(std::uint64_t seed, int attempt) : random_(seed * 64 + static_cast<std::uint64_t>(attempt)) {
    out_.seed = seed;
    out_.attempt = attempt;
    for (int i = 0; i < attempt; ++i) harshness_ /= 4;
  }

  Scenario run() {
    out_.version = random_.chance(0.7) ? 1 : 0;
    out_.timestamps = random_.chance(0.85);
    out_.sack = random_.chance(0.8);
    out_.server_port = static_cast<std::uint16_t>(pick({80, 443, 5201, 9000}));
    draw_paths();
    draw_addresses();
    draw_hosts();
    draw_joins();
    draw_layout();
    draw_events();
    out_.engine_may_keep = random_.chance(0.5);
    out_.engine_batch = random_.chance(0.5) ? 1 : random_.between(2, 64);
    return std::move(out_);
  }

 private:
  std::uint64_t pick(std::initializer_list<std::uint64_t> values) { return values.begin()[random_.below(values.size())]; }
  /// Evenly over orders of magnitude: small values are as likely as large ones.
  std::uint64_t spread(std::uint64_t low, std::uint64_t high) {
    std::uint64_t top = high;
    while (top / 2 > low && random_.chance(0.35)) top /= 2;
    return random_.between(low, top);
  }

  void draw_paths() {
    out_.paths.resize(random_.between(1, 4));
    const bool reorders = random_.chance(0.6), loses = random_.chance(0.65), duplicates = random_.chance(0.3), damages = random_.chance(0.25);
    for (Path& path : out_.paths) {
      for (Link& link : path.links) {
        link.delay_ns = static_cast<TimeNs>(spread(100, 40'000)) * 1'000;
        if (reorders) link.jitter_ns = static_cast<TimeNs>(random_.unit() * harshness_ * 20 * kMillisecond);
        link.in_order = random_.chance(0.4);
        if (loses) link.loss = random_.unit() * 0.03 * harshness_;
        if (duplicates) link.duplicate = random_.unit() * 0.03;
        if (damages) link.damage = random_.unit() * 0.01 * harshness_;
      }
      // A capture point at the host itself: nothing happens to a packet between them.
      for (const std::size_t end : {0U, 2U}) {
        if (random_.chance(0.3)) path.links[end] = Link{.in_order = true};
      }
    }
    if (random_.chance(0.35)) {
      out_.eager = true;
      for (Link& link : out_.paths[0].links) link = {.delay_ns = link.delay_ns, .jitter_ns = link.jitter_ns, .in_order = true};
    }
    TimeNs longest = 0;
    for (const Path& path : out_.paths) {
      TimeNs round_trip = 0;
      for (const Link& link : path.links) round_trip += 2 * (link.delay_ns + link.jitter_ns);
      longest = std::max(longest, round_trip);
    }
    // Now and then too short: retransmissions of what was never lost.
    out_.time_out_ns = random_.chance(0.15) ? longest : std::max<TimeNs>(200 * kMillisecond, longest + longest / 2);
    out_.time_out_ns = std::max<TimeNs>(out_.time_out_ns, 20 * kMillisecond);
    out_.congestion_window = static_cast<std::uint32_t>(spread(4'000, 200'000));
    out_.delayed_ack_ns = random_.chance(0.7) ? 40 * kMillisecond : kMillisecond;
  }

  void draw_addresses() {
    const std::size_t families = random_.below(3);  // IPv4, IPv6, both
    const bool one_server = random_.chance(0.3), translated = random_.chance(0.35);
    for (std::size_t i = 0; i < out_.paths.size(); ++i) {
      const auto n = static_cast<std::uint8_t>(i);
      const bool four = families == 0 || (families == 2 && i % 2 == 0);
      const auto server_net = static_cast<std::uint8_t>(one_server ? (four ? 100 : 101) : n);
      const IpAddress server = four ? v4(198, 51, 100, static_cast<std::uint8_t>(10 + server_net)) : v6(0x2001, 0x0db8, server_net, 80);
      IpAddress client = four ? v4(203, 0, 113, static_cast<std::uint8_t>(10 + n)) : v6(0x2001, 0x0db8, static_cast<std::uint8_t>(200 + n), 1);
      if (translated && random_.chance(0.7)) {
        const IpAddress inside = four ? v4(192, 168, n, 2) : v6(0xfd00, 0, n, 2);
        out_.paths[i].nat =
            Nat{.inside = inside, .outside = client, .port_shift = static_cast<std::uint16_t>(random_.chance(0.5) ? 0 : random_.between(1, 255))};
        client = inside;
      }
      out_.addresses.push_back({client, server});
    }
    for (const Path& path : out_.paths) translated_ |= path.nat.has_value();
  }

  std::vector<std::byte> draw_stream(bool may_be_empty) {
    std::uint64_t size = 0;
    switch (random_.below(may_be_empty ? 5 : 4)) {
      case 0:
        size = random_.between(1, 2'000);
        break;
      case 1:
        size = random_.between(1, 20'000);
        break;
      case 2:
        size = random_.between(1, 100'000);
        break;
      case 3:
        size = random_.between(1, 250'000);
        break;
      default:
        break;
    }
    std::vector<std::byte> stream(size);
    random_.fill(stream);
    return stream;
  }

  std::uint64_t draw_key() {
    const bool wraps = random_.chance(0.04);
    std::uint64_t key = random_.next();
    while (wraps && static_cast<std::uint32_t>(derive(out_.version, key).idsn) < ~0U - kCloseToWrap) key = random_.next();
    return key;
  }

  void draw_hosts() {
    const bool checksums = random_.chance(0.3), oversized = random_.chance(0.15), small_windows = random_.chance(0.2);
    for (HostParameters& host : out_.hosts) {
      host.key = draw_key();
      host.stream = draw_stream(&host == &out_.hosts[0] || !out_.hosts[0].stream.empty());
      host.requires_checksum = checksums && random_.chance(0.6);
      host.mss = static_cast<std::uint16_t>(random_.chance(0.5) ? 1'440 : random_.between(300, 1'460));
      host.window_scale = static_cast<std::uint8_t>(random_.below(11));
      host.receive_buffer = static_cast<std::uint32_t>(small_windows ? random_.between(6'000, 60'000) : random_.between(60'000, 4'000'000));
      if (random_.chance(0.15)) host.read_pause_ns = static_cast<TimeNs>(random_.between(1, 30)) * kMillisecond;
      if (random_.chance(0.3)) {
        host.write_octets = static_cast<std::uint32_t>(random_.between(2'000, 100'000));
        host.write_pause_ns = static_cast<TimeNs>(random_.between(1, 100)) * kMillisecond;
      }
      constexpr std::array<double, 3> kOften{1, 0, 0.5};
      host.wide_dsn = kOften[random_.below(3)];
      host.wide_ack = kOften[random_.below(3)];
      host.maps_every_segment = random_.chance(0.75);
      draw_mappings(host, oversized);
      host.odd_cut = random_.chance(0.5) ? 0 : random_.unit() * 0.5;
      host.redundant = random_.chance(0.25) ? random_.unit() * 0.5 : 0;
      host.reinject = random_.chance(0.6) ? random_.unit() : 0;
      host.data_fin_alone = random_.chance(0.5) ? 0 : 1;
      // An inside address told to the outside, and in v0 an address that the server knows under another number, are findings.
      host.announces = random_.chance(0.4) && (!translated_ || &host == &out_.hosts[1]);
      host.scheduler = static_cast<Scheduler>(random_.below(3));
      host.timestamp_base = random_.chance(0.1) ? ~0U - static_cast<std::uint32_t>(random_.below(5'000)) : random_.next32();
    }
  }

  void draw_mappings(HostParameters& host, bool oversized) {
    // Merged segments are told from damaged ones by the receiver's MSS; where its SYN is seen later, by the least that hosts have (RFC 9293 §3.7.1).
    if (oversized) host.mss = std::max<std::uint16_t>(host.mss, 536);
    switch (random_.below(oversized ? 2 : 4) + (oversized ? 2 : 0)) {
      case 0:
        host.shortest_mapping = 1, host.longest_mapping = 500;
        break;
      case 1:
        host.shortest_mapping = 200, host.longest_mapping = 1'400;
        break;
      case 2:
        host.shortest_mapping = 1, host.longest_mapping = 9'000;
        break;
      default:
        host.shortest_mapping = 1'000, host.longest_mapping = 65'000;
        break;
    }
    host.oversized = oversized;
  }

  void draw_joins() {
    const std::size_t subflows = random_.chance(0.15) ? 1 : random_.chance(0.6) ? random_.between(2, 4) : random_.between(5, 16);
    const bool server_opens = random_.chance(0.2);
    for (std::size_t i = 1; i < subflows; ++i) {
      JoinPlan plan;
      plan.opener = server_opens && random_.chance(0.5) ? Side::kServer : Side::kClient;
      plan.path = random_.below(out_.paths.size());
      plan.backup = random_.chance(0.1);
      plan.after_ns = random_.chance(0.5) ? static_cast<TimeNs>(random_.below(5)) * kMillisecond : static_cast<TimeNs>(random_.below(800)) * kMillisecond;
      out_.joins.push_back(plan);
    }
  }

  void draw_layout() {
    const auto at = [this](std::size_t path, std::size_t place, PointId point, std::array<bool, 2> towards = {true, true}) {
      out_.paths[path].taps[place].push_back({.point = point, .towards = towards});
    };
    const std::size_t kind = random_.below(10);
    const std::size_t paths = out_.paths.size();
    if (kind < 4) {
      out_.layout = "one point";
      const std::size_t place = random_.below(2);
      for (std::size_t i = 0; i < paths; ++i) at(i, place, 0);
    } else if (kind < 6 && paths > 1) {
      out_.layout = "a point for some paths, another for the rest";
      for (std::size_t i = 0; i < paths; ++i) at(i, random_.below(2), static_cast<PointId>(i == 0 ? 0 : i == 1 ? 1 : random_.below(2)));
    } else if (kind < 8) {
      out_.layout = "two points on every path";
      const auto near = static_cast<PointId>(random_.below(2));
      for (std::size_t i = 0; i < paths; ++i) at(i, 0, near), at(i, 1, static_cast<PointId>(1 - near));
    } else if (kind < 9) {
      out_.layout = "one point on every path, another on the first only";
      for (std::size_t i = 0; i < paths; ++i) at(i, 1, 0);
      at(0, 0, 1);
    } else {
      out_.layout = "a point for each direction";
      for (std::size_t i = 0; i < paths; ++i) at(i, 0, 0, {false, true}), at(i, random_.below(2), 1, {true, false});
    }
    out_.points.resize(out_.layout == "one point" ? 1 : 2);
    for (CapturePoint& point : out_.points) {
      constexpr std::array kLinks{LinkType::kRaw, LinkType::kEthernet, LinkType::kLinuxSll};
      point.link = kLinks[random_.below(kLinks.size())];
    }
    if (out_.points.size() == 2 && random_.chance(0.5)) {
      const auto range = static_cast<std::uint64_t>(random_.chance(0.1) ? 7 * kSecond : random_.chance(0.5) ? 4 * kSecond : 50 * kMillisecond);
      out_.points[1].skew_ns = static_cast<TimeNs>(random_.below(2 * range)) - static_cast<TimeNs>(range);
    }
    const bool offload = random_.chance(0.3);
    for (Path& path : out_.paths) {
      for (Tap& tap : path.taps[0]) tap.before_offload[index(Side::kServer)] = offload && path.links[0].delay_ns == 0;
      for (Tap& tap : path.taps[1]) tap.before_offload[index(Side::kClient)] = offload && path.links[2].delay_ns == 0;
    }
  }

  void draw_events() {
    if (random_.chance(0.3)) {
      const Side by = random_.chance(0.5) ? Side::kClient : Side::kServer;
      // With skewed clocks the number may be taken back, at one point, before another showed that it was given.
      const bool removes = out_.points.size() == 1 && random_.chance(0.5);
      for (std::uint64_t i = random_.between(1, 3); i > 0; --i) {
        out_.departures.push_back({.by = by,
                                   .subflow = random_.below(16),
                                   .reset = random_.chance(0.5),
                                   .removes_address = removes,
                                   .after_ns = static_cast<TimeNs>(random_.below(400)) * kMillisecond});
      }
    }
    while (random_.chance(0.2)) {
      const Side by = random_.chance(0.5) ? Side::kClient : Side::kServer;
      out_.priorities.push_back({.by = by, .after_ns = static_cast<TimeNs>(random_.below(300)) * kMillisecond, .backup = random_.chance(0.5)});
    }
  }

  Random random_;
  Scenario out_;
  double harshness_ = 1;
  bool translated_ = false;
};

}  // namespace

Scenario draw_scenario(std::uint64_t seed, int attempt) { return Draw(seed, attempt).run(); }

std::string describe(const Scenario& s) {
  std::string text =
      fmt::format("seed {} (attempt {}): v{}{}, {} to server, {} to client, {} subflows ({} opened by the server) on {} paths, {}", s.seed, s.attempt,
                  s.version, s.uses_checksum() ? " with checksums" : "", s.hosts[0].stream.size(), s.hosts[1].stream.size(), s.joins.size() + 1,
                  std::count_if(s.joins.begin(), s.joins.end(), [](const JoinPlan& j) { return j.opener == Side::kServer; }), s.paths.size(), s.layout);
  if (s.points.size() > 1) text += fmt::format(", skew {} ms", s.points[1].skew_ns / kMillisecond);
  if (!s.timestamps) text += ", no timestamps";
  if (s.eager) text += ", eager";
  if (!s.departures.empty()) text += fmt::format(", {} subflows leave", s.departures.size());
  for (const Side side : {Side::kClient, Side::kServer}) {
    const HostParameters& h = s.hosts[index(side)];
    text +=
        fmt::format("\n  {}: mss {}, buffer {}, scale {}, mappings {} to {}{}{}, dsn 8 {}, ack 8 {}, odd cuts {:.2f}, redundant {:.2f}, reinject {:.2f}{}{}",
                    side == Side::kClient ? "client" : "server", h.mss, h.receive_buffer, h.window_scale, h.shortest_mapping, h.longest_mapping,
                    h.oversized ? " oversized" : "", h.maps_every_segment ? "" : " told once", h.wide_dsn, h.wide_ack, h.odd_cut, h.redundant, h.reinject,
                    h.announces ? ", announces" : "", h.read_pause_ns > 0 ? ", reads slowly" : "");
  }
  for (std::size_t i = 0; i < s.paths.size(); ++i) {
    const Path& path = s.paths[i];
    text += fmt::format("\n  path {}: {} to {}{}", i, to_string(s.addresses[i][0]), to_string(s.addresses[i][1]), path.nat ? " through NAT" : "");
    for (const Link& link : path.links) {
      text += fmt::format(" | {:.1f}+{:.1f} ms{} loss {:.3f} dup {:.3f} damage {:.3f}", static_cast<double>(link.delay_ns) / 1e6,
                          static_cast<double>(link.jitter_ns) / 1e6, link.in_order ? " in order" : "", link.loss, link.duplicate, link.damage);
    }
  }
  return text;
}

}  // namespace weir::simulate
