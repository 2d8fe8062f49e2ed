#include "gateway/rules_keeper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/nft_commands.h"

namespace weir::gateway {
namespace {

constexpr std::size_t kLongestMessage = 1 << 20;
constexpr std::size_t kLongestError = 400;

/// What the child is to do: for each family, text for its restore program, which stands here by turns.
constexpr char kInstall = 'i', kRemove = 'r', kAreThere = 't', kStand = 's';

struct Programs {
  Family family;
  const char *restore, *tables;
};
constexpr std::array<Programs, 2> kPrograms = {{{Family::kIpv4, "iptables-restore", "iptables"}, {Family::kIpv6, "ip6tables-restore", "ip6tables"}}};

/// Exit status; `input` goes to its standard input, what it says on standard error into `said`.
int run(const std::vector<std::string>& command, std::string_view input, std::string* said) {
  std::array<int, 2> in{}, err{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0) return -1;
  if (::pipe2(err.data(), O_CLOEXEC) != 0) return ::close(in[0]), ::close(in[1]), -1;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  char path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
  char language[] = "LC_ALL=C";
  std::array<char*, 3> environment = {path, language, nullptr};
  pid_t child = 0;
  const std::string program = "/usr/sbin/" + command.front();
  const int error = ::posix_spawn(&child, program.c_str(), &actions, nullptr, words.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(err[1]);
  if (error != 0) {
    if (said != nullptr) *said = program + ": " + std::strerror(error);
    return ::close(in[1]), ::close(err[0]), -1;
  }
  // These texts are smaller than what a pipe holds, or the program reads while it is written.
  while (!input.empty()) {
    const ssize_t written = ::write(in[1], input.data(), input.size());
    if (written <= 0) break;
    input.remove_prefix(static_cast<std::size_t>(written));
  }
  ::close(in[1]);
  std::array<char, 512> piece{};
  for (ssize_t got = 0; (got = ::read(err[0], piece.data(), piece.size())) > 0;) {
    if (said != nullptr && said->size() < kLongestError) said->append(piece.data(), static_cast<std::size_t>(got));
  }
  ::close(err[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool has_rule(const char* tables, const char* table, std::vector<std::string> words) {
  words.insert(words.begin(), {tables, "-w", "5", "-t", table, "-C"});
  return run(words, {}, nullptr) == 0;
}

Jumps jumps_of(const char* tables, const Marks& marks) {
  return {.forward = has_rule(tables, "mangle", forward_jump()),
          .save = has_rule(tables, "mangle", save_jump(marks)),
          .proxy = has_rule(tables, "mangle", proxy_jump()),
          .own = has_rule(tables, "raw", own_jump(marks))};
}

std::optional<std::string> restore(const Programs& programs, const std::string& text) {
  std::string said;
  const int status = run({programs.restore, "-w", "5", "--noflush"}, text, &said);
  if (status == 0) return std::nullopt;
  while (!said.empty() && said.back() == '\n') said.pop_back();
  for (char& c : said) c = c == '\n' ? ' ' : c;
  return fmt::format("{}: {}", programs.restore, said.empty() ? fmt::format("ended with status {}", status) : said);
}

/// What is there already, or gone already, is as it should be.
std::optional<std::string> deliver(const KernelRuleSettings& settings, Family family, bool install) {
  for (const auto& command : delivery(settings, family, install)) {
    std::string said;
    if (run(command, {}, &said) == 0 || said.find("File exists") != std::string::npos || !install) continue;
    if (family == Family::kIpv6 && said.find("IPv6 is disabled") != std::string::npos) continue;  // no packet of it comes either
    return fmt::format("{}: {}", fmt::join(command, " "), said.substr(0, said.find('\n')));
  }
  return std::nullopt;
}

std::optional<std::string> run_nft(const std::string& text) {
  auto nft = NftCommands::open();
  const auto done = nft ? nft->run(text) : std::unexpected(nft.error());
  if (done) return std::nullopt;
  return "nftables: " + done.error();
}

/// What answers is there before anything can be led to it, and until nothing is.
std::optional<std::string> install_all(const KernelRuleSettings& settings) {
  if (auto problem = run_nft(reset_rules(settings.marks))) return problem;
  for (const Programs& each : kPrograms) {
    if (auto problem = deliver(settings, each.family, true)) return problem;
    if (auto problem = restore(each, iptables_rules(settings, each.family, jumps_of(each.tables, settings.marks)))) return problem;
  }
  return std::nullopt;
}

/// `settings`: what was installed last, where this process has installed anything.
std::optional<std::string> remove_all(const KernelRuleSettings& settings) {
  std::optional<std::string> problem;
  for (const Programs& each : kPrograms) {
    if (auto failed = restore(each, iptables_removal(settings.marks, jumps_of(each.tables, settings.marks))); failed && !problem) problem = failed;
    deliver(settings, each.family, false);
  }
  if (auto failed = run_nft(reset_removal()); failed && !problem) problem = failed;
  return problem;
}

bool delivers_alike(const KernelRuleSettings& a, const KernelRuleSettings& b) {
  return a.proxy == b.proxy && a.proxy_table == b.proxy_table && a.marks.mask() == b.marks.mask();
}

/// What one had and the other one does not need goes.
void take_back(const KernelRuleSettings& one, const KernelRuleSettings* other) {
  if (other != nullptr && delivers_alike(one, *other)) return;
  for (const Programs& each : kPrograms) deliver(one, each.family, false);
}

/// What is noted as installed is what was so as a whole: of what failed, the deliveries are taken back here, and the chains when others are installed or all
/// are removed.
std::optional<std::string> replace(std::optional<KernelRuleSettings>& installed, const KernelRuleSettings& settings) {
  const KernelRuleSettings* const before = installed ? &*installed : nullptr;
  if (auto problem = install_all(settings)) {
    take_back(settings, before);
    return problem;
  }
  if (before != nullptr) take_back(*before, &settings);
  installed = settings;
  return std::nullopt;
}

/// "y" or "n" behind what says that it is done. A chain that nothing leads to any more does nothing.
std::string look() {
  for (const Programs& each : kPrograms) {
    std::string said;
    const int status = run({each.tables, "-w", "5", "-t", "mangle", "-S", kForward}, {}, &said);
    if (status == 0 && has_rule(each.tables, "mangle", forward_jump())) return "Ky";
    if (status > 1 || status < 0) return fmt::format("E{}: {}", each.tables, said.substr(0, said.find('\n')));
  }
  return "Kn";
}

/// The same, of what this process has installed.
std::string stand_still(const std::optional<KernelRuleSettings>& installed) {
  if (!installed) return "Kn";
  if (run_nft(fmt::format("list table {}\n", kResetTable))) return "Kn";
  for (const Programs& each : kPrograms) {
    const Jumps there = jumps_of(each.tables, installed->marks);
    if (!there.forward || !there.save || !there.own || there.proxy != installed->proxy) return "Kn";
  }
  return "Ky";
}

std::string write_settings(const KernelRuleSettings& s) {
  std::string text = fmt::format("{} {} {} {} {} {} {} {}", s.queue, s.shards, s.fail_open ? 1 : 0, s.watch_dns ? 1 : 0, s.marks.mask(), s.proxy ? 1 : 0,
                                 s.proxy_port, s.proxy_table);
  for (const std::string& name : s.interfaces) text += " " + name;
  return text;
}

KernelRuleSettings read_settings(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const auto space = text.find(' ');
    words.emplace_back(text.substr(0, space));
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  KernelRuleSettings s;
  constexpr std::size_t kFixed = 8;
  if (words.size() < kFixed) return s;
  s.queue = static_cast<std::uint16_t>(std::stoul(words[0]));
  s.shards = static_cast<unsigned>(std::stoul(words[1]));
  s.fail_open = words[2] == "1";
  s.watch_dns = words[3] == "1";
  s.marks = Marks(static_cast<std::uint32_t>(std::stoul(words[4])));
  s.proxy = words[5] == "1";
  s.proxy_port = static_cast<std::uint16_t>(std::stoul(words[6]));
  s.proxy_table = static_cast<std::uint32_t>(std::stoul(words[7]));
  s.interfaces.assign(words.begin() + kFixed, words.end());
  return s;
}

[[noreturn]] void serve(int channel) {
  // A terminal's or a service manager's signals are the parent's: this one ends when that does.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) ::signal(signal, SIG_IGN);
  std::vector<char> message(kLongestMessage);
  std::optional<KernelRuleSettings> installed;
  for (;;) {
    const ssize_t size = ::recv(channel, message.data(), message.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) ::_exit(0);
    std::string answer;
    if (message[0] == kAreThere) {
      answer = look();
    } else if (message[0] == kStand) {
      answer = stand_still(installed);
    } else {
      const KernelRuleSettings settings = read_settings({message.data() + 1, static_cast<std::size_t>(size) - 1});
      const auto problem = message[0] == kInstall ? replace(installed, settings) : remove_all(installed.value_or(settings));
      answer = problem ? "E" + *problem : "K";
    }
    if (::send(channel, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) ::_exit(0);
  }
}

}  // namespace

std::expected<std::unique_ptr<RulesKeeper>, std::string> RulesKeeper::start() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return std::unexpected(std::string(std::strerror(errno)));
  const pid_t child = ::fork();
  if (child < 0) return std::unexpected(std::string(std::strerror(errno)));
  if (child == 0) {
    ::close(ends[0]);
    ::prctl(PR_SET_NAME, "weir-rules");
    serve(ends[1]);
  }
  ::close(ends[1]);
  return std::unique_ptr<RulesKeeper>(new RulesKeeper(ends[0], child));
}

RulesKeeper::~RulesKeeper() {
  ::close(channel_);
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::expected<std::string, std::string> RulesKeeper::ask(char what, const std::string& payload) {
  const std::string message = what + payload;
  if (::send(channel_, message.data(), message.size(), MSG_NOSIGNAL) < 0) return std::unexpected(std::string("the process that keeps rules is gone"));
  std::array<char, kLongestError * 2> answer{};
  ssize_t size = 0;
  while ((size = ::recv(channel_, answer.data(), answer.size(), 0)) < 0 && errno == EINTR) {
  }
  if (size <= 0) return std::unexpected(std::string("the process that keeps rules is gone"));
  std::string text(answer.data() + 1, static_cast<std::size_t>(size) - 1);
  if (answer[0] == 'K') return text;
  return std::unexpected(std::move(text));
}

std::expected<void, std::string> RulesKeeper::install(const KernelRuleSettings& settings) {
  if (auto answer = ask(kInstall, write_settings(settings)); !answer) return std::unexpected(std::move(answer.error()));
  return {};
}

std::expected<void, std::string> RulesKeeper::remove(const Marks& marks) {
  KernelRuleSettings settings;
  settings.marks = marks;
  if (auto answer = ask(kRemove, write_settings(settings)); !answer) return std::unexpected(std::move(answer.error()));
  return {};
}

std::expected<bool, std::string> RulesKeeper::question(char what) {
  auto answer = ask(what, {});
  if (!answer) return std::unexpected(std::move(answer.error()));
  return *answer == "y";
}

std::expected<bool, std::string> RulesKeeper::stand() { return question(kStand); }

std::expected<bool, std::string> RulesKeeper::are_there() { return question(kAreThere); }

}  // namespace weir::gateway
