#include "gateway/kernel_rules.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace weir::gateway {
namespace {

constexpr const char* kSyn = "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN";
constexpr const char* kHasOption = "-p tcp -m tcp --tcp-option 30";

constexpr unsigned kDeliveryPriority = 8'384;  ///< before the table main; a number, so that one that is there is not made again

constexpr std::array kChains = {kForward, kJudge, kQueue, kHeld, kSave, kProxy, kDeliver};

std::string mark_of(std::uint32_t value, std::uint32_t mask) { return fmt::format("{:#x}/{:#x}", value, mask); }

/// Purpose: the rules of one family, chain by chain. What a rule is for stands beside it here, not in the kernel.
class Text {
 public:
  Text(const KernelRuleSettings& settings, Family family) : settings_(settings), marks_(settings.marks), family_(family) {}

  std::string whole(const Jumps& there) {
    out_ = "*mangle\n";
    for (const char* chain : kChains) out_ += fmt::format(":{} - [0:0]\n", chain);
    forward();
    judge();
    queue();
    held();
    save();
    if (settings_.proxy) proxy();
    jump("FORWARD", kForward, forward_jump(), true, there.mangle);
    jump("POSTROUTING", kSave, fmt::format("POSTROUTING -m mark ! --mark {} -j {}", mark_of(0, marks_.mask()), kSave), true, there.mangle);
    jump("PREROUTING", kProxy, fmt::format("PREROUTING -p tcp -j {}", kProxy), settings_.proxy, there.mangle);
    out_ += fmt::format("COMMIT\n*raw\n:{} - [0:0]\n", kOwn);
    rule(kOwn, "-j CT --notrack");
    const std::string own = mark_of(marks_.untracked(), marks_.state_mask() | marks_.shard_mask());
    jump("OUTPUT", kOwn, fmt::format("OUTPUT -m mark --mark {} -j {}", own, kOwn), true, there.raw);
    return out_ + "COMMIT\n";
  }

 private:
  /// It stays where it is, and is there once: a second one, and one of another form, go.
  void jump(std::string_view from, std::string_view to, const std::string& text, bool wanted, const std::vector<std::string>& there) {
    bool found = false;
    for (const std::string& each : there) {
      if (!each.starts_with(fmt::format("{} ", from)) || !each.ends_with(fmt::format(" -j {}", to))) continue;
      if (wanted && !found && each == text) {
        found = true;
      } else {
        out_ += fmt::format("-D {}\n", each);
      }
    }
    if (wanted && !found) out_ += fmt::format("-A {}\n", text);
  }

  void rule(const char* chain, const std::string& text) { out_ += fmt::format("-A {} {}\n", chain, text); }
  std::string connection(MarkState state) const { return "-m connmark --mark " + mark_of(marks_.value(state), marks_.state_mask()); }
  std::string packet(MarkState state) const { return "-m mark --mark " + mark_of(marks_.value(state), marks_.state_mask()); }

  void forward() {
    if (settings_.interfaces.empty()) return rule(kForward, fmt::format("-j {}", kJudge));
    for (const std::string& name : settings_.interfaces) {
      rule(kForward, fmt::format("-i {} -g {}", name, kJudge));
      rule(kForward, fmt::format("-o {} -g {}", name, kJudge));
    }
  }

  void judge() {
    // The question, too: an answer to none is not believed.
    if (settings_.watch_dns) {
      for (const char* const port : {"dport", "sport"})
        rule(kJudge, fmt::format("-p udp -m udp --{} 53 -j NFQUEUE --queue-num {} --queue-bypass", port, settings_.queue));
    }
    rule(kJudge, "! -p tcp -j RETURN");
    // A verdict of dropping does not get to where marks are saved: so "blocked" comes round once more, is saved here, and ends here.
    const std::string save = "-j CONNMARK --save-mark --nfmask " + fmt::format("{0:#x} --ctmask {0:#x}", marks_.mask());
    rule(kJudge, packet(MarkState::kBlocked) + " " + save);
    rule(kJudge, packet(MarkState::kBlocked) + " -j DROP");
    refused();
    rule(kJudge, fmt::format("{} -g {}", connection(MarkState::kBlocked), kHeld));
    rule(kJudge, fmt::format("{} --tcp-option 30 -j {}", kSyn, kQueue));
    rule(kJudge, fmt::format("{} {} -j {}", connection(MarkState::kStripped), kHasOption, kQueue));
    rule(kJudge, connection(MarkState::kStripped) + " -j RETURN");
    rule(kJudge, connection(MarkState::kProxy) + " -j RETURN");
    rule(kJudge, fmt::format("{} -m bpf --bytecode \"{}\" -j RETURN", connection(MarkState::kOffloaded), ordinary_filter(family_)));
    for (const MarkState state : {MarkState::kOffloaded, MarkState::kTracked}) rule(kJudge, fmt::format("{} -j {}", connection(state), kQueue));
    // What conntrack does not know has no mark that could say that it is blocked. Without MPTCP it is mostly others' TCP.
    rule(kJudge, fmt::format("{} -m conntrack --ctstate INVALID -g {}", kHasOption, kHeld));
    rule(kJudge, fmt::format("-m conntrack --ctstate INVALID -j {}", kQueue));
    rule(kJudge, fmt::format("-m conntrack --ctstate UNTRACKED -j {}", kQueue));
    rule(kJudge, fmt::format("{} -j {}", kHasOption, kQueue));
    // In the middle of a connection whose entry, and with it the mark, is gone.
    rule(kJudge, fmt::format("-p tcp -m tcp ! --syn -m conntrack --ctstate NEW -j {}", kQueue));
  }

  /// The program answers a refused SYN itself, with a reason; where DNAT has changed it and conntrack does not say how it was sent, the kernel does, in
  /// reset_rules(). On addresses that are in use (no NEW) it must not: its REJECT gives the entry up, and anyone may send a SYN.
  void refused() {
    rule(kJudge, fmt::format("-m mark --mark {} -j RETURN", mark_of(marks_.refused_by_kernel(), marks_.told_mask())));
    rule(kJudge, fmt::format("{} -m conntrack --ctstate NEW -m conntrack --ctstate DNAT -g {}", packet(MarkState::kRefused), kHeld));
    rule(kJudge, fmt::format("{} -j MARK --set-xmark {}", packet(MarkState::kRefused), mark_of(marks_.value(MarkState::kOwn), marks_.state_mask())));
    rule(kJudge, fmt::format("{} -g {}", packet(MarkState::kOwn), kHeld));
  }

  void queue() {
    const char* const bypass = settings_.fail_open ? " --queue-bypass" : "";
    restore(kQueue);
    if (settings_.shards > 1) {
      by_shard(kQueue, settings_.queue, bypass);
      const std::string all = fmt::format("{}:{}", settings_.queue, settings_.queue + settings_.shards - 1);
      return rule(kQueue, fmt::format("-j NFQUEUE --queue-balance {}{}", all, bypass));
    }
    rule(kQueue, fmt::format("-j NFQUEUE --queue-num {}{}", settings_.queue, bypass));
  }

  /// Never past a dead program.
  void held() {
    restore(kHeld);
    by_shard(kHeld, held_queue(settings_, 0), "");
    // What has no mark the first shard leads on to the one that has its flow.
    rule(kHeld, fmt::format("-j NFQUEUE --queue-num {}", held_queue(settings_, 0)));
  }

  /// The program sees what was decided of the connection, after a restart too.
  void restore(const char* chain) {
    rule(chain, "-m mark --mark " + mark_of(0, marks_.mask()) + fmt::format(" -j CONNMARK --restore-mark --nfmask {0:#x} --ctmask {0:#x}", marks_.mask()));
  }

  /// Marks of a time with more shards are still there: each has its place.
  void by_shard(const char* chain, std::uint16_t first, const std::string& bypass) {
    for (unsigned shard = 0; settings_.shards > 1 && shard < Marks::kMostShards; ++shard) {
      const auto mine = mark_of(marks_.value(MarkState::kNone, shard) | marks_.steered_mask(), marks_.shard_mask() | marks_.steered_mask());
      rule(chain, fmt::format("-m mark --mark {} -j NFQUEUE --queue-num {}{}", mine, first + shard % settings_.shards, bypass));
    }
  }

  void save() {
    const std::string ours = fmt::format("{0:#x}", marks_.mask());
    const std::string clear = fmt::format("-j MARK --set-xmark 0x0/{}", ours);
    rule(kSave, packet(MarkState::kOwn) + " -j RETURN");
    // Someone has taken the table away that would have answered it.
    rule(kSave, fmt::format("{} {} -j DROP", kSyn, packet(MarkState::kRefused)));
    // A SYN on addresses that are in use changes nothing of theirs: anyone may send it.
    rule(kSave, fmt::format("{} -m conntrack ! --ctstate NEW {}", kSyn, clear));
    rule(kSave, fmt::format("{} -m conntrack ! --ctstate NEW -j RETURN", kSyn));
    rule(kSave, fmt::format("-j CONNMARK --save-mark --nfmask {0} --ctmask {0}", ours));
    rule(kSave, clear);
  }

  /// Before routing: a SYN with MPTCP is asked about, once. What is for the proxy gets its mark, and so do all later packets of the client's.
  void proxy() {
    const std::string wanted = "--mark " + mark_of(marks_.value(MarkState::kProxy), marks_.state_mask() | marks_.shard_mask());
    const std::string ours = fmt::format("{:#x}", marks_.mask());
    rule(kProxy, fmt::format("-m mark {0} -j CONNMARK --save-mark --nfmask {1} --ctmask {1}", wanted, ours));
    rule(kProxy, fmt::format("-m mark {} -g {}", wanted, kDeliver));
    rule(kProxy, fmt::format("-m connmark {} -m conntrack --ctdir ORIGINAL -g {}", wanted, kDeliver));
    const std::string asked =
        fmt::format("{} --tcp-option 30 -m mark --mark {} -m addrtype ! --dst-type LOCAL -m conntrack --ctstate NEW -j NFQUEUE --queue-num {}{}", kSyn,
                    mark_of(0, marks_.mask()), settings_.queue, settings_.fail_open ? " --queue-bypass" : "");
    if (settings_.interfaces.empty()) rule(kProxy, asked);
    for (const std::string& name : settings_.interfaces) rule(kProxy, fmt::format("-i {} {}", name, asked));
    rule(kProxy, fmt::format("{} -j MARK --set-xmark 0x0/{}", packet(MarkState::kTracked), ours));
    rule(kDeliver, "-j MARK --set-xmark " + mark_of(marks_.value(MarkState::kProxy), marks_.mask()));
    if (settings_.proxy_table == 0) return;
    rule(kDeliver,
         fmt::format("-p tcp -j TPROXY --on-port {} --tproxy-mark {}", settings_.proxy_port, mark_of(marks_.value(MarkState::kProxy), marks_.mask())));
  }

  const KernelRuleSettings& settings_;
  Marks marks_;
  Family family_;
  std::string out_;
};

}  // namespace

std::string iptables_rules(const KernelRuleSettings& settings, Family family, const Jumps& there) { return Text(settings, family).whole(there); }

std::string reset_rules(const Marks& marks) {
  return reset_removal() + fmt::format(
                               "table {} {{\n  chain answer {{\n    type filter hook forward priority mangle + 1; policy accept;\n"
                               "    meta l4proto tcp meta mark & {:#x} == {:#x} reject with tcp reset\n  }}\n}}\n",
                               kResetTable, marks.told_mask(), marks.refused_by_kernel());
}

std::string reset_removal() { return fmt::format("table {0} {{}}\ndelete table {0}\n", kResetTable); }

std::string iptables_removal(const Jumps& there) {
  std::string out = "*mangle\n";
  for (const char* chain : kChains) out += fmt::format(":{} - [0:0]\n", chain);
  for (const std::string& jump : there.mangle) out += fmt::format("-D {}\n", jump);
  for (const char* chain : kChains) out += fmt::format("-X {}\n", chain);
  out += fmt::format("COMMIT\n*raw\n:{} - [0:0]\n", kOwn);
  for (const std::string& jump : there.raw) out += fmt::format("-D {}\n", jump);
  return out + fmt::format("-X {}\nCOMMIT\n", kOwn);
}

std::vector<std::vector<std::string>> delivery(const KernelRuleSettings& settings, Family family, bool install) {
  if (!settings.proxy || settings.proxy_table == 0) return {};
  const char* const version = family == Family::kIpv4 ? "-4" : "-6";
  const char* const all = family == Family::kIpv4 ? "0.0.0.0/0" : "::/0";
  const std::string table = std::to_string(settings.proxy_table);
  const std::string mark = mark_of(settings.marks.value(MarkState::kProxy), settings.marks.state_mask());
  return {{"ip", version, "route", install ? "replace" : "del", "local", all, "dev", "lo", "table", table},
          {"ip", version, "rule", install ? "add" : "del", "priority", std::to_string(kDeliveryPriority), "fwmark", mark, "lookup", table}};
}

std::string forward_jump() { return fmt::format("FORWARD -j {}", kForward); }

}  // namespace weir::gateway
