#include "gateway/kernel_tables.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "capture/nf_queue.h"
#include "gateway/listed_rules.h"
#include "gateway/nft_commands.h"

namespace weir::gateway {
namespace {

using Problem = std::optional<std::string>;

constexpr std::size_t kLongestError = 400;
constexpr std::size_t kLongestListing = 1 << 20;  ///< of Weir's own rules in one table: some 20 KiB
constexpr std::size_t kPieceBytes = 65'536;

struct Programs {
  Family family;
  const char *restore, *tables;
};
constexpr std::array<Programs, 2> kPrograms = {{{Family::kIpv4, "iptables-restore", "iptables"}, {Family::kIpv6, "ip6tables-restore", "ip6tables"}}};

struct Output {
  std::string ours;  ///< lines of its standard output that name Weir's chains: others' rules may be many
  std::string said;  ///< on standard error
};

/// Purpose: keeps lines that name Weir's chains, of a text that comes piece by piece. A value.
class OurLines {
 public:
  void take(std::string_view piece, std::string& into) {
    while (!piece.empty()) {
      const auto end = piece.find('\n');
      if (line_.size() < kLongestListing) line_.append(piece.substr(0, end));
      if (end == std::string_view::npos) return;
      piece.remove_prefix(end + 1);
      if (line_.find("WEIR-") != std::string::npos && into.size() < kLongestListing) into.append(line_).push_back('\n');
      line_.clear();
    }
  }

 private:
  std::string line_;
};

/// Both to their ends.
void read_all(int out, int err, Output* output) {
  OurLines lines;
  std::vector<char> piece(kPieceBytes);
  std::array<pollfd, 2> waits = {{{.fd = out, .events = POLLIN, .revents = 0}, {.fd = err, .events = POLLIN, .revents = 0}}};
  while (waits[0].fd >= 0 || waits[1].fd >= 0) {
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return;
    for (pollfd& each : waits) {
      if (each.fd < 0 || each.revents == 0) continue;
      const ssize_t got = ::read(each.fd, piece.data(), piece.size());
      if (got <= 0) {
        each.fd = -1;
        continue;
      }
      const std::string_view text(piece.data(), static_cast<std::size_t>(got));
      if (&each == waits.data()) {
        lines.take(text, output->ours);
      } else if (output->said.size() < kLongestError) {
        output->said.append(text.substr(0, kLongestError));
      }
    }
  }
}

/// Exit status; `input` goes to its standard input.
int run(const std::string& program, const std::vector<std::string>& command, std::string_view input, Output* output) {
  std::array<int, 2> in{}, out{}, err{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0) return -1;
  if (::pipe2(out.data(), O_CLOEXEC) != 0) return ::close(in[0]), ::close(in[1]), -1;
  if (::pipe2(err.data(), O_CLOEXEC) != 0) return ::close(in[0]), ::close(in[1]), ::close(out[0]), ::close(out[1]), -1;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  char path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
  char language[] = "LC_ALL=C";
  std::array<char*, 3> environment = {path, language, nullptr};
  pid_t child = 0;
  const int error = ::posix_spawn(&child, program.c_str(), &actions, nullptr, words.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  for (const int descriptor : {in[0], out[1], err[1]}) ::close(descriptor);
  if (error != 0) {
    output->said = program + ": " + std::strerror(error);
    for (const int descriptor : {in[1], out[0], err[0]}) ::close(descriptor);
    return -1;
  }
  // These texts are smaller than what a pipe holds, or the program reads while it is written.
  while (!input.empty()) {
    const ssize_t written = ::write(in[1], input.data(), input.size());
    if (written <= 0) break;
    input.remove_prefix(static_cast<std::size_t>(written));
  }
  ::close(in[1]);
  read_all(out[0], err[0], output);
  ::close(out[0]);
  ::close(err[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// On one line.
std::string why(const char* program, std::string said, int status) {
  while (!said.empty() && said.back() == '\n') said.pop_back();
  std::ranges::replace(said, '\n', ' ');
  return fmt::format("{}: {}", program, said.empty() ? fmt::format("ended with status {}", status) : said);
}

Problem run_nft(const std::string& text) {
  auto nft = NftCommands::open();
  const auto done = nft ? nft->run(text) : std::unexpected(nft.error());
  if (done) return std::nullopt;
  return "nftables: " + done.error();
}

bool delivers_alike(const KernelRuleSettings& a, const KernelRuleSettings& b) {
  return a.proxy == b.proxy && a.proxy_table == b.proxy_table && a.marks.mask() == b.marks.mask();
}

constexpr unsigned kQueues = 65'536;  ///< that there can be

KernelRuleSettings no_queues() {
  KernelRuleSettings none;
  none.shards = 0;
  return none;
}

/// Whether some process reads a queue of these, but for those that are the asker's own.
bool are_read(const std::vector<std::pair<std::uint16_t, std::uint16_t>>& queues, const KernelRuleSettings& own) {
  const int statistics = capture::NfQueue::open_statistics();
  bool read = false;
  for (const auto& [first, last] : queues) {
    for (unsigned number = first; number <= last && !read; ++number) {
      const bool mine = number >= own.queue && number < own.queue + 2 * own.shards;
      read = !mine && capture::NfQueue::is_taken(statistics, static_cast<std::uint16_t>(number));
    }
  }
  if (statistics >= 0) ::close(statistics);
  return read;
}

}  // namespace

/// Only a table that was told whole is taken for what is there: a program that has failed says nothing of it.
std::expected<KernelTables::Listed, std::string> KernelTables::list(std::size_t family) const {
  Listed listed;
  for (const char* const table : {"mangle", "raw"}) {
    const char* const program = kPrograms[family].tables;
    Output output;
    const int status = run(folder_ + program, {program, "-w", "5", "-t", table, "-S"}, {}, &output);
    if (status != 0) return std::unexpected(why(program, std::move(output.said), status));
    ListedRules rules = read_listed(output.ours);
    if (rules.has_jump(forward_jump())) listed.forward = true;
    listed.text.append(table).append("\n").append(rules.rules);
    listed.queues.insert(listed.queues.end(), rules.queues.begin(), rules.queues.end());
    (std::string_view(table) == "raw" ? listed.jumps.raw : listed.jumps.mangle) = std::move(rules.jumps);
  }
  return listed;
}

Problem KernelTables::restore(std::size_t family, const std::string& text) const {
  const char* const program = kPrograms[family].restore;
  Output output;
  const int status = run(folder_ + program, {program, "-w", "5", "--noflush"}, text, &output);
  if (status == 0) return std::nullopt;
  return why(program, std::move(output.said), status);
}

/// What is there already, or gone already, is as it should be.
Problem KernelTables::deliver(const KernelRuleSettings& settings, std::size_t family, bool install) const {
  for (const auto& command : delivery(settings, kPrograms[family].family, install)) {
    Output output;
    const std::string& said = output.said;
    if (run(folder_ + command.front(), command, {}, &output) == 0 || said.find("File exists") != std::string::npos || !install) continue;
    if (kPrograms[family].family == Family::kIpv6 && said.find("IPv6 is disabled") != std::string::npos) continue;  // no packet of it comes either
    return fmt::format("{}: {}", fmt::join(command, " "), said.substr(0, said.find('\n')));
  }
  return std::nullopt;
}

/// What one had and the other one does not need goes.
void KernelTables::take_back(const KernelRuleSettings& one, const KernelRuleSettings* other) const {
  if (other != nullptr && delivers_alike(one, *other)) return;
  for (std::size_t family = 0; family < kPrograms.size(); ++family) deliver(one, family, false);
}

/// What answers is there before anything can be led to it, and until nothing is.
Problem KernelTables::install_all(const KernelRuleSettings& settings, Texts& texts) const {
  if (auto problem = run_nft(reset_rules(settings.marks))) return problem;
  for (std::size_t family = 0; family < kPrograms.size(); ++family) {
    if (auto problem = deliver(settings, family, true)) return problem;
    const auto before = list(family);
    if (!before) return before.error();
    if (auto problem = restore(family, iptables_rules(settings, kPrograms[family].family, before->jumps))) return problem;
    auto after = list(family);
    if (!after) return after.error();
    texts[family] = std::move(after->text);
  }
  return std::nullopt;
}

/// What is noted as installed is what was so as a whole: of what failed, the deliveries are taken back here, and the chains when others are installed or all
/// are removed.
Problem KernelTables::install(const KernelRuleSettings& settings) {
  const KernelRuleSettings* const before = installed_ ? &*installed_ : nullptr;
  Texts texts;
  if (auto problem = install_all(settings, texts)) {
    take_back(settings, before);
    return problem;
  }
  if (before != nullptr) take_back(*before, &settings);
  installed_ = settings;
  texts_ = std::move(texts);
  return std::nullopt;
}

Problem KernelTables::hold(KernelRuleSettings settings) {
  const unsigned needed = 2 * settings.shards;
  const auto is_free = [needed](unsigned first) {
    return !are_read({{static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(first + needed - 1)}}, no_queues());
  };
  unsigned first = settings.queue;
  if (!is_free(first)) {
    first = kQueues - needed;
    while (first >= needed && !is_free(first)) first -= needed;
  }
  settings.queue = static_cast<std::uint16_t>(first);
  return install(settings);
}

/// What is still led to is answered.
Problem KernelTables::remove() {
  Problem problem;
  for (std::size_t family = 0; family < kPrograms.size(); ++family) {
    const auto there = list(family);
    auto failed = there ? restore(family, iptables_removal(there->jumps)) : there.error();
    if (!failed && installed_) deliver(*installed_, family, false);
    if (failed && !problem) problem = std::move(failed);
  }
  if (problem) return problem;
  if (auto failed = run_nft(reset_removal())) return failed;
  installed_.reset();
  return std::nullopt;
}

std::expected<bool, std::string> KernelTables::stand(const KernelRuleSettings& settings) const {
  if (!installed_ || *installed_ != settings) return false;
  if (const auto problem = run_nft(fmt::format("list table {}\n", kResetTable))) {
    if (problem->find("No such file or directory") != std::string::npos) return false;
    return std::unexpected(*problem);
  }
  for (std::size_t family = 0; family < kPrograms.size(); ++family) {
    const auto there = list(family);
    if (!there) return std::unexpected(there.error());
    if (there->text != texts_[family]) return false;
  }
  return true;
}

/// A chain that nothing leads to any more does nothing.
std::expected<RulesThere, std::string> KernelTables::look(const KernelRuleSettings& own) const {
  RulesThere found = RulesThere::kNone;
  for (std::size_t family = 0; family < kPrograms.size(); ++family) {
    const auto there = list(family);
    if (!there) return std::unexpected(there.error());
    if (!there->forward) continue;
    if (are_read(there->queues, own)) return RulesThere::kRead;
    found = RulesThere::kUnread;
  }
  return found;
}

}  // namespace weir::gateway
