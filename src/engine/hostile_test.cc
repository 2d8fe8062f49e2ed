// A sender that tries everything, and a receiver that follows Linux's rules behind the engine: what it delivers is what was looked at, and no
// signature ever. More seeds: WEIR_SEEDS=3000.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>

#include "engine/conversation_test.h"

namespace weir::engine {
namespace {

/// Of a receiver: a mapping as a segment carries it, in SSNs and offsets of the stream.
struct Carried {
  std::uint64_t ssn = 0, offset = 0, length = 0;
  friend bool operator==(const Carried&, const Carried&) = default;
};

struct Piece {
  std::uint64_t begin = 0;
  std::string bytes;
  std::optional<Carried> mapping;
  std::uint64_t end() const { return begin + bytes.size(); }
};

/// tcp_data_queue_ofo, mptcp_data_queue_ofo: a piece inside a kept one is dropped, kept ones inside a new one are removed, others overlap.
class OutOfOrder {
 public:
  void insert(Piece piece) {
    for (const auto& [begin, kept] : pieces_) {
      if (kept.begin <= piece.begin && piece.end() <= kept.end() && !(kept.begin == piece.begin && piece.end() > kept.end())) return;
    }
    std::erase_if(pieces_, [&](const auto& entry) { return piece.begin <= entry.second.begin && entry.second.end() <= piece.end(); });
    const std::uint64_t begin = piece.begin;
    pieces_.insert_or_assign(begin, std::move(piece));
  }
  std::optional<Piece> next(std::uint64_t expected) {
    while (!pieces_.empty() && pieces_.begin()->first <= expected) {
      Piece piece = std::move(pieces_.begin()->second);
      pieces_.erase(pieces_.begin());
      if (piece.end() > expected) return piece;
    }
    return std::nullopt;
  }

 private:
  std::map<std::uint64_t, Piece> pieces_;
};

/// The server: Linux's order of events on the way from segment to application (tcp_input.c, subflow.c, protocol.c).
class LinuxReceiver {
 public:
  struct Socket {
    bool open = false, dead = false, map_valid = false;
    std::uint64_t next = 1;
    Carried map;
    OutOfOrder queue;
  };

  void capable_ack() {  // the third ACK of the first subflow
    if (!sockets[0].open) sockets[0].open = true;
  }
  void join_ack(std::uint32_t subflow) {
    if (!fallback && sockets[0].open && fully_established) {
      sockets[subflow].open = joined = true;
    }
  }
  /// check_fully_established().
  void first_packet(std::uint64_t ssn, bool has_data_ack, bool has_capable) {
    if (!sockets[0].open) {
      sockets[0].open = true;
      fallback |= !has_capable;
    }
    if (fully_established || fallback || ssn != 1) return;
    if (has_data_ack) {
      fully_established = true;
    } else if (!has_capable) {
      fallback = true;
    }
  }
  void segment(std::uint32_t subflow, Piece piece) {
    Socket& s = sockets[subflow];
    if (!s.open || s.dead || piece.end() <= s.next) return;
    if (piece.begin > s.next) {
      s.queue.insert(std::move(piece));
      return;
    }
    take(s, std::move(piece));
    while (auto more = s.queue.next(s.next)) take(s, std::move(*more));
  }

  std::array<Socket, 9> sockets;
  bool fallback = false, fully_established = false, joined = false;
  std::string received;

 private:
  // tcp_queue_rcv, subflow_check_data_avail, get_mapping_status.
  void take(Socket& s, Piece skb) {
    std::uint64_t at = s.next;
    s.next = skb.end();
    while (at < skb.end() && !s.dead) {
      if (!fallback && !find_mapping(s, skb, at)) {
        if (joined) {
          s.dead = true;
          return;
        }
        fallback = true;
      }
      if (fallback) {
        received += skb.bytes.substr(at - skb.begin);
        return;
      }
      const std::uint64_t n = std::min(skb.end(), s.map.ssn + s.map.length) - at;
      deliver({.begin = s.map.offset + (at - s.map.ssn), .bytes = skb.bytes.substr(at - skb.begin, n), .mapping = {}});
      at += n;
      if (at >= s.map.ssn + s.map.length) s.map_valid = false;
    }
  }
  static bool find_mapping(Socket& s, Piece& skb, std::uint64_t at) {
    if (skb.mapping) {
      if (skb.mapping->length == 0) return false;
      if (!s.map_valid) {
        s.map = *std::exchange(skb.mapping, std::nullopt);
        s.map_valid = true;
      } else if (s.map == *skb.mapping) {
        skb.mapping.reset();
      } else if (skb.end() <= s.map.ssn + s.map.length) {
        return false;
      }
    } else if (!s.map_valid) {
      return false;
    }
    return at >= s.map.ssn && at < s.map.ssn + s.map.length;
  }
  // __mptcp_move_skb.
  void deliver(Piece piece) {
    const std::uint64_t expected = received.size();
    if (static_cast<std::int64_t>(piece.end() - expected) <= 0) return;
    if (static_cast<std::int64_t>(piece.begin - expected) > 0) {
      data_.insert(std::move(piece));
      return;
    }
    received += piece.bytes.substr(expected - piece.begin);
    while (auto more = data_.next(received.size())) received += more->bytes.substr(received.size() - more->begin);
  }

  OutOfOrder data_;
};

class Hostile : public Conversation {
 protected:
  std::string signature;

  std::uint64_t below(std::uint64_t n) { return random() % n; }
  bool chance(unsigned percent) { return below(100) < percent; }
  std::string letters(std::size_t n) {
    std::string text(n, ' ');
    for (char& c : text) c = static_cast<char>('a' + below(3));
    return text;
  }

  /// To the engine; what passes goes to the receiver, later or never, in any order.
  void emit(const Packet& p, std::optional<Carried> mapping) {
    const Judgement judged = send(p);
    ++sent;
    if (!judged.passes()) return;
    ++passed;
    if (chance(10)) return;  // lost behind the engine, by a short time to live for instance
    pool.push_back({p, std::move(mapping)});
    if (chance(5)) pool.push_back(pool.back());
  }

  void arrive(const Packet& p, const std::optional<Carried>& mapping) {
    const auto has = [&]<typename T>() { return std::ranges::any_of(p.options, [](const Option& o) { return std::holds_alternative<T>(o); }); };
    if (has.template operator()<MpJoinAck>()) {
      server.join_ack(p.subflow);
    } else {
      bool data_ack = false;
      for (const Option& o : p.options) {
        if (const auto* dss = std::get_if<Dss>(&o)) data_ack = dss->data_ack.has_value();
      }
      const bool capable = has.template operator()<MpCapable>();
      if (capable) server.capable_ack();
      if (p.subflow == 0) server.first_packet(p.ssn, data_ack, capable);
      if (!p.payload.empty()) server.segment(p.subflow, {.begin = p.ssn, .bytes = p.payload, .mapping = mapping});
    }
    const auto& all = scanned[0];
    ASSERT_LE(server.received.size(), all.size()) << "delivered before it was looked at";
    ASSERT_EQ(server.received, all.substr(0, server.received.size()));
    ASSERT_EQ(server.received.find(signature), std::string::npos);
    answer(p.subflow);
  }

  /// What the server then says: its ACK, and DATA_ACK as long as it speaks MPTCP.
  void answer(std::uint32_t subflow) {
    const auto& s = server.sockets[subflow];
    if (!s.open || s.dead || chance(30)) return;
    Packet ack{.subflow = subflow, .to_server = false, .acks = static_cast<std::uint32_t>(s.next)};
    if (!server.fallback) ack.options.emplace_back(ack_of(true, server.received.size()));
    const Judgement judged = send(ack);
    EXPECT_TRUE(judged.passes()) << name_of(judged.refusal);
  }

  void data_packet(std::uint32_t subflow, std::uint64_t ssn, std::uint64_t offset, std::string text) {
    Packet p{.subflow = subflow, .ssn = static_cast<std::uint32_t>(ssn), .payload = std::move(text)};
    Carried m{ssn, offset, p.payload.size()};
    std::optional<Carried> mapping = m;
    switch (chance(25) ? below(7) : 0) {
      case 1:  // reaches further
        m.length += below(10);
        break;
      case 2: {  // began before
        const std::uint64_t back = std::min(below(6), ssn - 1);
        if (offset >= back) m = {ssn - back, offset - back, m.length + back};
        break;
      }
      case 3:  // covers part of it
        if (m.length > 1) m.length -= 1 + below(m.length - 1);
        break;
      case 4:  // is of other data
        m.offset = below(last_offset + 20);
        break;
      case 5:
        m.ssn += 1 + below(12);
        break;
      case 6:
        if (chance(20)) m.length = 0;  // infinite
        break;
      default:
        break;
    }
    mapping = m;
    if (chance(3)) mapping.reset();
    if (mapping) {
      Dss dss = mapped(true, mapping->offset, static_cast<std::uint32_t>(mapping->ssn), mapping->length);
      if (chance(10)) dss.data_ack.reset();
      p.options.emplace_back(dss);
    }
    sent_before.push_back({p, mapping});
    emit(p, mapping);
  }

  void open_another() {
    const auto subflow = static_cast<std::uint32_t>(front.size());
    if (subflow > 8) return;
    front.push_back(1);
    if (!send({.subflow = subflow, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn(subflow)}}).passes()) {
      front.pop_back();  // its receiver knows of no such subflow
      return;
    }
    send({.subflow = subflow, .to_server = false, .ssn = 0, .flags = 0x12, .options = {join_syn_ack(subflow)}});
    emit({.subflow = subflow, .options = {join_ack(subflow)}}, {});
  }

  void step() {
    const auto subflow = static_cast<std::uint32_t>(below(front.size()));
    const std::uint64_t n = 1 + below(9);
    const auto kind = below(100);
    if (kind < 45) {  // what an honest one would send, in some order
      data_packet(subflow, front[subflow], last_offset, letters(n));
      front[subflow] += n;
      last_offset += n;
    } else if (kind < 60 && !sent_before.empty()) {  // again, the same or not
      auto [p, mapping] = sent_before[sent_before.size() - 1 - below(std::min<std::size_t>(sent_before.size(), 30))];
      if (chance(30) && !p.payload.empty()) p.payload[below(p.payload.size())] = static_cast<char>('a' + below(3));
      emit(p, mapping);
    } else if (kind < 68 && !sent_before.empty()) {  // what was lost
      const auto missing = std::ranges::find_if(sent_before, [&](const auto& one) {
        const std::uint64_t next = server.sockets[one.first.subflow].next;
        return one.first.ssn <= next && next < one.first.ssn + one.first.payload.size() && one.second;
      });
      if (missing != sent_before.end()) emit(missing->first, missing->second);
    } else if (kind < 75) {  // fills what is missing, with whatever
      data_packet(subflow, server.sockets[subflow].next, server.received.size(), letters(n));
    } else if (kind < 85) {  // anywhere
      const std::uint64_t ssn = std::max<std::int64_t>(1, static_cast<std::int64_t>(front[subflow] + below(20)) - 15);
      data_packet(subflow, ssn, below(last_offset + 10), letters(n));
    } else if (kind < 88) {
      open_another();
    } else if (kind < 90) {  // an ACK without an option, or with one
      Packet p{.subflow = subflow, .ssn = static_cast<std::uint32_t>(chance(50) ? 1 : front[subflow])};
      if (chance(50)) p.options.emplace_back(ack_of(false, 0));
      emit(p, {});
    } else if (kind == 90 && chance(10)) {  // ends that may never arrive
      send({.subflow = subflow, .ssn = static_cast<std::uint32_t>(front[subflow]), .flags = static_cast<std::uint8_t>(chance(50) ? 0x14 : 0x11)});
    } else if (kind == 91 && chance(10)) {
      Dss fin = mapped(true, last_offset, 0, 1);
      fin.data_fin = true;
      send({.subflow = subflow, .ssn = static_cast<std::uint32_t>(front[subflow]), .options = {fin}});
    }
    for (std::size_t i = below(4); i > 0 && !pool.empty(); --i) {
      const std::size_t which = below(pool.size());
      const auto [p, mapping] = pool[which];
      pool.erase(pool.begin() + static_cast<std::ptrdiff_t>(which));
      arrive(p, mapping);
      if (HasFatalFailure()) return;
    }
  }

  std::mt19937_64 random;
  LinuxReceiver server;
  std::vector<std::pair<Packet, std::optional<Carried>>> pool, sent_before;
  std::vector<std::uint64_t> front{1};
  std::uint64_t last_offset = 0;
  std::uint64_t sent = 0, passed = 0;
};

std::uint64_t seeds() {
  const char* const asked = std::getenv("WEIR_SEEDS");
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : 400;
}

class HostileSeeds : public Hostile {
 public:
  void TestBody() override {}
  struct Sum {
    std::uint64_t sent = 0, passed = 0, received = 0, fallbacks = 0, blocked = 0;
  };
  /// One sender against one server.
  void run(std::uint64_t seed, Sum& sum) {
    Settings settings;
    settings.follow_unseen = false;
    random.seed(seed);
    signature = seed % 2 == 0 ? "abcab" : "abcabcabc";  // found soon, or seldom
    start(settings, "drop tcp any any -> any any (content:\"" + signature + "\"; sid:1;)\n");
    MpCapable syn;
    send({.ssn = 0, .flags = 0x02, .acks = 0, .options = {syn}});
    syn.sender_key = kServerKey;
    send({.to_server = false, .ssn = 0, .flags = 0x12, .options = {syn}});
    MpCapable ack;
    ack.sender_key = kClientKey;
    ack.receiver_key = kServerKey;
    emit({.options = {ack}}, {});
    const std::uint64_t steps = 20 + below(300);
    for (std::uint64_t i = 0; i < steps && !HasFatalFailure(); ++i) step();
    sum.sent += sent;
    sum.passed += passed;
    sum.received += server.received.size();
    sum.fallbacks += server.fallback ? 1U : 0U;
    sum.blocked += alerts.size();
  }
};

TEST(HostileSender, WhatArrivesIsWhatWasLookedAtAndNeverASignature) {
  HostileSeeds::Sum sum;
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    HostileSeeds one;
    one.run(seed, sum);
    if (::testing::Test::HasFailure()) return;
  }
  for (const auto& [name, value] :
       {std::pair{"sent", sum.sent}, {"passed", sum.passed}, {"received", sum.received}, {"fallbacks", sum.fallbacks}, {"blocked", sum.blocked}}) {
    ::testing::Test::RecordProperty(name, std::to_string(value));
  }
  EXPECT_GT(sum.passed, sum.sent / 8) << "too little passes for this to show anything";
  EXPECT_GT(sum.received, 25 * seeds());
  EXPECT_GT(sum.fallbacks, 0U);
  EXPECT_GT(sum.blocked, 0U);
}

}  // namespace
}  // namespace weir::engine
