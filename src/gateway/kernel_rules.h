// The rules by which the kernel hands packets over, as text for iptables-restore.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/marks.h"

namespace weir::gateway {

struct KernelRuleSettings {
  std::vector<std::string> interfaces;  ///< forwarded traffic that touches one of them; none: all of it
  std::uint16_t queue = 64;             ///< the first; one for each shard, and behind them one for each that never fails open
  unsigned shards = 1;
  bool fail_open = true;          ///< what no one takes out of the queue passes
  bool watch_dns = false;         ///< DNS over UDP is seen, for names; it passes in any case
  bool proxy = false;             ///< some connections are for a proxy, and are asked about before they are routed
  std::uint16_t proxy_port = 0;   ///< where it listens on this machine; 0: at each connection's own port
  std::uint32_t proxy_table = 0;  ///< the routing table by which its packets stay here; 0: their mark is all
  Marks marks;

  bool operator==(const KernelRuleSettings&) const = default;
};

// Chains in the table mangle. Three are jumped to: from FORWARD, POSTROUTING and, where there is a proxy, PREROUTING.
inline constexpr const char* kForward = "WEIR-FORWARD";
inline constexpr const char* kJudge = "WEIR-JUDGE";
inline constexpr const char* kQueue = "WEIR-QUEUE";
inline constexpr const char* kHeld = "WEIR-HELD";
inline constexpr const char* kSave = "WEIR-SAVE";
inline constexpr const char* kProxy = "WEIR-PROXY";
inline constexpr const char* kDeliver = "WEIR-DELIVER";
/// In the table raw, jumped to from OUTPUT: own packets that conntrack is not to see.
inline constexpr const char* kOwn = "WEIR-OWN";

/// The queue of blocked connections and refused SYNs: where no one takes packets out of it, they are dropped.
constexpr std::uint16_t held_queue(const KernelRuleSettings& settings, unsigned shard) {
  return static_cast<std::uint16_t>(settings.queue + settings.shards + shard);
}

/// nftables' table of refused SYNs that the kernel answers, Weir's alone.
inline constexpr const char* kResetTable = "inet weir_reset";

enum class Family : std::uint8_t { kIpv4, kIpv6 };
/// Which jumps to own chains are there, as iptables -S tells them behind "-A ", table by table. One may be there twice.
struct Jumps {
  std::vector<std::string> mangle, raw;
};
/// For iptables-restore or ip6tables-restore with --noflush: the tables mangle and raw with own chains, filled anew, and jumps to them unless they are there.
/// Each is there once then, that for a proxy only while one is wanted.
std::string iptables_rules(const KernelRuleSettings& settings, Family family, const Jumps& there);
/// For nft: the table in place of the one that is there. What is marked so is answered with RST, which takes the way back through the NAT that the packet
/// came by, whether conntrack has confirmed its entry or not. iptables does so in the table `filter` alone, which may be someone's in nft's own form.
std::string reset_rules(const Marks& marks);
/// The table goes, if it is there.
std::string reset_removal();
/// All of it goes, jumps first, each that is there.
std::string iptables_removal(const Jumps& there);
/// By which all forwarded traffic is looked at, as it is written behind "-A ".
std::string forward_jump();

/// For `ip`: what delivers packets with a proxy's mark on this machine; nothing, if no proxy is there.
std::vector<std::vector<std::string>> delivery(const KernelRuleSettings& settings, Family family, bool install);

/// Classic BPF for xt_bpf, as text: 1 for a TCP packet that is certainly one of an established subflow with nothing in it but time stamps, SACK and one
/// DSS without DATA_FIN; 0 for every other one, and where a header ends too early. An IPv6 packet with extension headers is another one.
std::string ordinary_filter(Family family);

}  // namespace weir::gateway
