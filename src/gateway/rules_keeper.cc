#include "gateway/rules_keeper.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "capture/clock.h"

namespace weir::gateway {
namespace {

constexpr std::size_t kLongestMessage = 1 << 20;
constexpr std::size_t kLongestAnswer = 1'000;
constexpr TimeNs kMs = 1'000'000;
constexpr TimeNs kAnswer = 20'000 * kMs;  ///< two programs may wait 5 s for others' (-w 5), and a machine be slow
constexpr TimeNs kEnd = 1'000 * kMs;
constexpr int kEndTickMs = 5;

/// What the child is to do.
constexpr char kInstall = 'i', kHold = 'h', kRemove = 'r', kLook = 't', kStand = 's';
/// How it answers: with a word, or why it could not.
constexpr char kDone = 'K', kFailed = 'E';

constexpr const char *kYes = "yes", *kNo = "no", *kRead = "read", *kUnread = "unread", *kNone = "none";

constexpr const char* kGone = "the process that keeps them is gone";
constexpr const char* kSilent = "the process that keeps them does not answer";

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

const char* word_of(RulesThere there) { return there == RulesThere::kRead ? kRead : there == RulesThere::kUnread ? kUnread : kNone; }

std::string answer_to(char what, const KernelRuleSettings& settings, KernelTables& tables) {
  const auto failed = [](const std::string& why) { return kFailed + why.substr(0, kLongestAnswer - 1); };
  if (what == kLook) {
    const auto there = tables.look(settings);
    return there ? kDone + std::string(word_of(*there)) : failed(there.error());
  }
  if (what == kStand) {
    const auto stand = tables.stand(settings);
    return stand ? kDone + std::string(*stand ? kYes : kNo) : failed(stand.error());
  }
  const auto problem = what == kInstall ? tables.install(settings) : what == kHold ? tables.hold(settings) : tables.remove();
  return problem ? failed(*problem) : std::string(1, kDone);
}

[[noreturn]] void serve(int channel, const std::string& programs) {
  // A terminal's or a service manager's signals are the parent's: this one ends when that does.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) ::signal(signal, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);  // a program that ends before it has read all
  std::vector<char> message(kLongestMessage);
  KernelTables tables(programs);
  for (;;) {
    const ssize_t size = ::recv(channel, message.data(), message.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) ::_exit(0);
    const std::string answer = answer_to(message[0], read_settings({message.data() + 1, static_cast<std::size_t>(size) - 1}), tables);
    if (::send(channel, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) ::_exit(0);
  }
}

}  // namespace

std::expected<std::unique_ptr<RulesKeeper>, std::string> RulesKeeper::start(const std::string& programs) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return std::unexpected(std::string(std::strerror(errno)));
  const pid_t child = ::fork();
  if (child < 0) return std::unexpected(std::string(std::strerror(errno)));
  if (child == 0) {
    ::close(ends[0]);
    ::prctl(PR_SET_NAME, "weir-rules");
    serve(ends[1], programs);
  }
  ::close(ends[1]);
  return std::unique_ptr<RulesKeeper>(new RulesKeeper(ends[0], child));
}

/// One that does not end now ends when it finds its channel closed.
RulesKeeper::~RulesKeeper() {
  ::close(channel_);
  const TimeNs until = capture::steady_ns() + kEnd;
  for (;;) {
    const pid_t ended = ::waitpid(child_, nullptr, WNOHANG);
    if (ended > 0 || (ended < 0 && errno != EINTR) || capture::steady_ns() >= until) return;
    ::poll(nullptr, 0, kEndTickMs);
  }
}

void RulesKeeper::end_within(TimeNs time) { latest_ = capture::steady_ns() + time; }

bool RulesKeeper::send(char what, const KernelRuleSettings& settings) {
  const std::string message = what + write_settings(settings);
  if (::send(channel_, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return false;
  ++owed_;
  return true;
}

/// Nothing: none until then. Of one that is gone no more is awaited.
std::optional<RulesKeeper::Answer> RulesKeeper::receive(TimeNs until) {
  for (;;) {
    pollfd wait{.fd = channel_, .events = POLLIN, .revents = 0};
    const TimeNs left = std::max<TimeNs>(until - capture::steady_ns(), 0);
    const int ready = ::poll(&wait, 1, static_cast<int>((left + kMs - 1) / kMs));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return std::nullopt;
    std::array<char, kLongestAnswer> answer{};
    const ssize_t size = ::recv(channel_, answer.data(), answer.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) {
      owed_ = 0;
      return std::unexpected(std::string(kGone));
    }
    --owed_;
    std::string text(answer.data() + 1, static_cast<std::size_t>(size) - 1);
    if (answer[0] == kDone) return text;
    return std::unexpected(std::move(text));
  }
}

/// Answers come in the order of questions: those to earlier ones, for which no one waits any more, come first.
std::optional<RulesKeeper::Answer> RulesKeeper::last_answer(TimeNs until) {
  while (owed_ > 0) {
    auto answer = receive(until);
    if (!answer || owed_ == 0) return answer;
  }
  return std::nullopt;
}

RulesKeeper::Answer RulesKeeper::ask(char what, const KernelRuleSettings& settings) {
  awaited_ = false;
  if (silent_) {
    last_answer(capture::steady_ns());
    if (owed_ > 0) return std::unexpected(std::string(kSilent));
    silent_ = false;
  }
  if (!send(what, settings)) return std::unexpected(std::string(kGone));
  if (auto answer = last_answer(std::min(capture::steady_ns() + kAnswer, latest_))) return *std::move(answer);
  silent_ = true;
  return std::unexpected(std::string(kSilent));
}

namespace {

/// Of what is answered by nothing but that it is done.
std::expected<void, std::string> done(std::expected<std::string, std::string> answer) {
  if (!answer) return std::unexpected(std::move(answer.error()));
  return {};
}

}  // namespace

std::expected<void, std::string> RulesKeeper::install(const KernelRuleSettings& settings) { return done(ask(kInstall, settings)); }

std::expected<void, std::string> RulesKeeper::hold(const KernelRuleSettings& settings) { return done(ask(kHold, settings)); }

std::expected<void, std::string> RulesKeeper::remove() { return done(ask(kRemove, KernelRuleSettings())); }

std::expected<bool, std::string> RulesKeeper::stand(const KernelRuleSettings& settings) {
  auto answer = ask(kStand, settings);
  if (!answer) return std::unexpected(std::move(answer.error()));
  return *answer == kYes;
}

std::expected<RulesThere, std::string> RulesKeeper::look(const KernelRuleSettings& own) {
  auto answer = ask(kLook, own);
  if (!answer) return std::unexpected(std::move(answer.error()));
  return *answer == kRead ? RulesThere::kRead : *answer == kUnread ? RulesThere::kUnread : RulesThere::kNone;
}

std::expected<RulesThere, std::string> RulesKeeper::look() {
  KernelRuleSettings none;
  none.shards = 0;
  return look(none);
}

std::expected<void, std::string> RulesKeeper::begin(char what, const KernelRuleSettings& settings) {
  last_answer(capture::steady_ns());
  if (owed_ > 0) return std::unexpected(std::string(kSilent));
  if (!send(what, settings)) return std::unexpected(std::string(kGone));
  awaited_ = true;
  return {};
}

std::expected<void, std::string> RulesKeeper::begin_stand(const KernelRuleSettings& settings) { return begin(kStand, settings); }

std::expected<void, std::string> RulesKeeper::begin_install(const KernelRuleSettings& settings) { return begin(kInstall, settings); }

std::optional<std::expected<bool, std::string>> RulesKeeper::answered() {
  if (!awaited_) return std::nullopt;
  auto answer = last_answer(capture::steady_ns());
  if (!answer) return std::nullopt;
  awaited_ = false;
  if (!*answer) return std::unexpected(std::move(answer->error()));
  return **answer != kNo;
}

}  // namespace weir::gateway
