// `weir gateway`: packets out of the kernel's queues, decided, and back, until a signal ends it.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "capture/clock.h"
#include "capture/nf_queue.h"
#include "cli/command_line.h"
#include "cli/config_changes.h"
#include "cli/control_api.h"
#include "cli/default_log.h"
#include "cli/gateway_doubts.h"
#include "cli/gateway_hold.h"
#include "cli/gateway_options.h"
#include "cli/host_facts.h"
#include "cli/nat_settings.h"
#include "cli/outputs.h"
#include "cli/policy_lists.h"
#include "cli/process.h"
#include "cli/rule_files.h"
#include "cli/say.h"
#include "cli/service.h"
#include "cli/shard_outputs.h"
#include "cli/verbs.h"
#include "gateway/address_nat.h"
#include "gateway/answers.h"
#include "gateway/control_socket.h"
#include "gateway/drain.h"
#include "gateway/nat_rules.h"
#include "gateway/nat_table.h"
#include "gateway/rules_keeper.h"
#include "gateway/state_keeper.h"
#include "gateway/workers.h"
#include "sensor/workers.h"

namespace weir::cli {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;
constexpr int kTickMs = 50;
constexpr TimeNs kStats = 10 * kSecond;
constexpr std::size_t kMostHosts = 65'536;  ///< whose anomalies are remembered for the policy
constexpr TimeNs kKeep = 60 * kSecond;
constexpr TimeNs kRulesLook = 10 * kSecond;  ///< how often is looked whether the kernel's rules stand
constexpr TimeNs kKeeperEnds = 4 * kSecond;  ///< what is waited for it at the end: a service manager waits 10 s for all
constexpr TimeNs kFeeds = kSecond;           ///< how often is looked whether a feed was replaced

constexpr const char* kRules = "the kernel's rules";

/// The reports of a shard, as the gateway's worker knows them.
class GatewayReports : public gateway::Reports {
 public:
  explicit GatewayReports(std::unique_ptr<ShardOutputs> outputs) : outputs_(std::move(outputs)) {}
  engine::Observer& observer() override { return outputs_->observer(); }
  void on_policy(const report::PolicyRecord& record) override { outputs_->policy(record); }
  void flush() override { outputs_->flush(); }
  void input_ended() override { outputs_->input_ended(); }
  bool close() override { return outputs_->close(); }
  std::vector<std::pair<std::string_view, std::uint64_t>> counters() const override { return outputs_->counters(); }

 private:
  std::unique_ptr<ShardOutputs> outputs_;
};

/// Purpose: one run: what its worker does not do itself. Threads: the main one.
class Gateway {
 public:
  explicit Gateway(GatewayOptions options)
      : options_(std::move(options)), shared_(options_.inspect, [](PointId) { return std::string("gateway"); }), kernel_(options_.kernel_rules()) {}

  int work() {
    auto keeper = gateway::RulesKeeper::start();
    if (!keeper) return say("rules", keeper.error()), kNotDone;
    keeper_ = *std::move(keeper);
    statistics_ = capture::NfQueue::open_statistics();
    web::Api api = control_api(options_.gateway, requests_);
    if (!service_.begin(options_.service)) return hold(kNotDone);
    service_.use(std::move(api));
    if (const int status = prepare(); status != kDone) return hold(status);
    if (are_anothers(*keeper_, kernel_)) return kNotDone;
    if (const auto installed = keeper_->install(kernel_); !installed) {
      say(kRules, installed.error(), "iptables and ip6tables with NFQUEUE are needed, nftables with reject, and CAP_NET_ADMIN");
      if (!kernel_.fail_open) return leave_rules(*keeper_), kNotDone;
      if (const auto removed = keeper_->remove(); !removed) say(kRules, removed.error());
      return kNotDone;
    }
    catch_service_signals();
    shared_.start();
    began_ = capture::wall_ns();
    begin_state();
    begin_control();
    workers_->start();
    service_.alive(status(began_));
    say_doubts(options_.config, options_.loaded);
    service_.ready(shared_.rules_text());
    watch();
    requests_.close();
    service_.ending();
    // Rules first: what comes from now on passes by, what waits is still decided. Closed: they stay, so that
    // nothing passes unseen before the next start, but for a gateway that was drained.
    keeper_->end_within(kKeeperEnds);
    bool whole = true;
    const bool held = !kernel_.fail_open && !drain_.runs();
    if (held) {
      whole = hold_on();
    } else {
      expect_anything();
      if (const auto removed = keeper_->remove(); !removed) say(kRules, removed.error(), "whether they are there is not known"), whole = false;
    }
    const Totals last = totals();
    if (const auto problem = state_->keep_now()) say(*problem), whole = false;
    whole = workers_->stop() && whole;
    if (nat_table_) {
      if (const auto removed = nat_table_->remove(); !removed) say("nat", removed.error()), whole = false;
    }
    return shared_.close(last, began_, capture::wall_ns()) && whole ? kDone : kNotDone;
  }

 private:
  /// It cannot begin. Closed: then nothing passes that it would have decided on, until it can. A gateway that has the queue goes on with its own rules.
  int hold(int status) {
    workers_.reset();  // with the queues: who reads one now is another process
    hold_up(*keeper_, kernel_);
    return status;
  }

  /// Closed, at the end: nothing passes from now on. False: it is not so, or not known, and the state does not say so.
  bool hold_on() {
    auto stand = keeper_->stand(kernel_);
    if (stand && !*stand) {
      if (const auto again = keeper_->install(kernel_)) {
        stand = true;
        restored();
      } else {
        stand = std::unexpected(again.error());
      }
    }
    if (!stand) {
      expect_anything();
      return say(kRules, stand.error(), "whether MPTCP is held up is not known"), false;
    }
    tell_held();
    workers_->ask_all([](gateway::Worker& worker) { worker.rest(); });
    if (is_sealed(kernel_)) state_->use(engine::Since::kNothing);
    return true;
  }

  int prepare() {
    if (!options_.policy) return kBadUsage;  // why is said
    auto rules = shared_.read_rules();
    if (!rules) return kBadUsage;
    log_by_default(options_.inspect, options_.log);
    if (!shared_.open()) return kNotDone;
    hosts_.use(shared_.inventory() != nullptr ? &shared_.inventory()->inventory() : nullptr);
    const gateway::WorkerSettings settings = worker_settings(*std::move(rules));
    workers_ = std::make_unique<gateway::Workers>(kernel_.shards, settings.core.most_decisions);
    for (unsigned shard = 0; shard < kernel_.shards; ++shard) {
      if (!add_worker(settings, shard)) return kNotDone;
    }
    return begin_nat();
  }

  bool add_worker(const gateway::WorkerSettings& settings, unsigned shard) {
    auto outputs = std::make_unique<ShardOutputs>(shared_);
    if (!outputs->open(LinkType::kRaw, false, kernel_.shards)) return false;
    auto sender = gateway::RawSender::open(kernel_.marks.value(gateway::MarkState::kOwn), kernel_.marks.untracked());
    if (!sender) return say("gateway", sender.error(), "CAP_NET_RAW is needed"), false;
    gateway::WorkerQueues queues;
    const auto queue = static_cast<std::uint16_t>(kernel_.queue + shard);
    if (!open_queue({.number = queue, .fail_open = options_.gateway.fail.queue == FailMode::kOpen}, queues)) return false;
    if (!open_queue({.number = gateway::held_queue(kernel_, shard), .fail_open = false, .with_sender = true}, queues)) return false;
    gateway::Surroundings surroundings;
    // Also where no rule asks for one: after a reload some may.
    surroundings.names = [this](const Endpoints& connection, TimeNs time) {
      const auto name = shared_.names().find(connection, time);
      return name ? std::vector<std::string>{*name} : std::vector<std::string>{};
    };
    surroundings.hosts = [this](decide::Facts& facts, TimeNs time) { hosts_.fill(facts, time); };
    surroundings.raised = [this](const engine::AnomalyRecord& record) { hosts_.take(record); };
    surroundings.local_time = [](TimeNs time) { return local_time(time / kSecond); };
    workers_->add(settings, options_.policy, std::move(surroundings), std::make_unique<GatewayReports>(std::move(outputs)), std::move(queues),
                  *std::move(sender));
    return true;
  }

  /// Without it traffic is controlled all the same.
  void begin_control() {
    if (options_.gateway.control_socket.empty()) return;
    auto opened = gateway::ControlSocket::open(options_.gateway.control_socket, requests_);
    if (!opened) return say(opened.error().what, opened.error().why, "goes on without control; gateway.control.socket names another, or none");
    control_ = *std::move(opened);
    control_->start();
  }

  gateway::AnswerSources answer_sources() {
    return {.ask_all = [this](const std::function<void(gateway::Worker&)>& what) { workers_->ask_all(what); },
            .reload = [this] { return reload_for_another(); },
            .status = [this] { return web::status_json(status(capture::wall_ns()), WEIR_VERSION); },
            .drain = [this](bool begin) { drain(begin); },
            .wall_clock = capture::wall_ns};
  }

  /// Whether the kernel lets nothing of MPTCP pass that no one decided on.
  bool is_sealed(const gateway::KernelRuleSettings& kernel) const { return !kernel.fail_open && options_.gateway.fail.queue == FailMode::kClosed; }

  /// What may pass after a state that is written while these rules hold.
  engine::Since since(const gateway::KernelRuleSettings& kernel) const { return is_sealed(kernel) ? engine::Since::kJudged : engine::Since::kAnything; }

  /// Before the kernel lets pass what no one sees: a state that does not expect it would excuse it.
  void expect_anything() {
    state_->use(engine::Since::kAnything);
    const std::uint64_t failures = state_->failures();
    if (const auto problem = state_->keep_now()) say(*problem);
    if (state_->failures() != failures) state_->discard();
  }

  /// What cannot be read is said and left: then running connections are taken for ones seen from their middle.
  void begin_state() {
    state_.emplace(
        options_.gateway.state, options_.gateway.state_seconds * kSecond,
        [this](const std::function<void(gateway::Worker&)>& what) { workers_->ask_all(what); }, nat_.get(), capture::steady_ns);
    if (const auto problem = state_->restore(capture::wall_ns()))
      say(problem->what, problem->why, "begins without running connections; the file will be written anew");
    state_->use(since(kernel_));
    // The one on the disk may say that nothing passes after it.
    if (const auto problem = state_->keep_now()) {
      say(*problem);
      state_->discard();
    }
    if (state_->restored() > 0) tell(fmt::format("goes on with {} running connections", state_->restored()));
  }

  int begin_nat() {
    if (options_.nat.empty()) return kDone;
    if (const auto made = make_nat(options_.nat); !made) return say("nat", made.error(), "nftables with NAT is needed, and CAP_NET_ADMIN"), kNotDone;
    return kDone;
  }

  std::expected<void, std::string> make_nat(const rewrite::NatSettings& settings) {
    auto table = gateway::NatTable::make(settings);
    if (!table) return std::unexpected(table.error());
    nat_table_ = *std::move(table);
    nat_ = std::make_unique<gateway::AddressNat>(settings, [this](auto orders) { return nat_table_->apply(orders); });
    workers_->ask_all([this](gateway::Worker& worker) { worker.core().use(*nat_); });
    return {};
  }

  bool open_queue(capture::NfQueueSettings settings, gateway::WorkerQueues& into) {
    settings.most_packets = static_cast<std::uint32_t>(options_.gateway.queue_packets);
    settings.statistics = statistics_;
    auto queue = capture::NfQueue::open(settings);
    if (!queue) {
      return say(queue.error().file, queue.error().what, queue.error().hint), false;
    }
    into.push_back(*std::move(queue));
    return true;
  }

  gateway::WorkerSettings worker_settings(std::shared_ptr<const inspect::match::RuleSet> rules) const {
    gateway::WorkerSettings settings;
    const Limits limits = sensor::Workers::share_of(options_.inspect.limits, kernel_.shards);
    settings.inspection.limits = limits;
    settings.inspection.rules = std::move(rules);
    settings.engine.limits = limits;
    settings.engine.checksums = engine::ChecksumPolicy::kVerify;
    settings.engine.inline_mode = true;
    settings.engine.follow_unseen = true;
    settings.engine.hash_seed = random_seed();
    settings.core.marks = kernel_.marks;
    settings.core.drop_forged = options_.gateway.drop_forged;
    settings.core.unseen_open = options_.gateway.fail.unseen_path == FailMode::kOpen;
    settings.core.memory_open = options_.gateway.fail.memory == FailMode::kOpen;
    settings.core.prevent = options_.gateway.drop_signatures;
    settings.core.offload = options_.gateway.offload;
    settings.core.inspect_depth_bytes = options_.inspect.limits.inspect_depth_bytes;
    settings.core.hash_seed = random_seed();
    settings.clock = capture::wall_ns;
    return settings;
  }

  void watch() {
    TimeNs told = capture::steady_ns(), kept = told, looked = told, fed = told, stood = told;
    const auto due = [](TimeNs& last, TimeNs every) {
      if (capture::steady_ns() - last < every) return false;
      last = capture::steady_ns();
      return true;
    };
    const std::function<gateway::Answer(const gateway::Command&)> answers = gateway::Answers(answer_sources());
    while (!stop_wanted() && !drained()) {
      ::poll(nullptr, 0, kTickMs);  // a signal ends it
      if (due(told, kStats)) shared_.stats(totals(), began_, capture::wall_ns());
      if (due(kept, kKeep)) shared_.keep();
      if (const auto problem = state_->keep()) say(*problem);
      requests_.run(answers);
      if (due(looked, kSecond)) {
        service_.alive(status(capture::wall_ns()));
        if (nat_) nat_->advance(capture::wall_ns());
      }
      let_rules_stand(due(stood, kRulesLook));
      if (due(fed, kFeeds) && options_.source.feed_files.changed()) take_feeds();
      if (reopen_wanted()) shared_.reopen();
      if (reload_wanted()) reload();
    }
  }

  /// Who empties the kernel's tables (a firewall that loads its ruleset anew) would have all traffic pass unseen from then on. Nothing is waited for: what the
  /// keeper has found is taken in a later round, and so is what it has done.
  void let_rules_stand(bool due) {
    if (const auto answer = keeper_->answered()) return take(*answer);
    if (!due) return;
    if (auto begun = keeper_->begin_stand(kernel_); !begun) return rules_trouble(std::move(begun.error()));
    restoring_ = false;
  }

  void take(const std::expected<bool, std::string>& answer) {
    const bool was_install = std::exchange(restoring_, false);
    if (!answer) return rules_trouble(answer.error());
    if (was_install) return restored();
    if (*answer) return all_stand();
    if (!std::exchange(gone_, true)) doubt();
    if (auto begun = keeper_->begin_install(kernel_); !begun) return rules_trouble(std::move(begun.error()));
    restoring_ = true;
  }

  void restored() {
    ++rules_restored_;
    say(kRules, "someone has taken them away or changed them: what came meanwhile was not seen", "they are there again");
    if (nat_) {
      if (const auto again = nat_->use(options_.nat, [&] { return nat_table_->use(options_.nat); }); !again) say("nat", again.error());
    }
    all_stand();
  }

  void all_stand() {
    gone_ = doubtful_ = false;
    state_->use(since(kernel_));
    rules_trouble_.clear();
  }

  /// It is found, or may be, that packets pass unseen: no state is to say that none do until rules stand again.
  void doubt() {
    if (!std::exchange(doubtful_, true)) expect_anything();
  }

  /// Said once for as long as it lasts.
  void rules_trouble(std::string why) {
    doubt();
    if (rules_trouble_ != why) say(kRules, why, gone_ ? "someone has taken them away or changed them: traffic passes unseen" : "");
    rules_trouble_ = std::move(why);
  }

  /// By a reload: what was asked before it is not answered any more.
  std::expected<void, std::string> install(const gateway::KernelRuleSettings& kernel) {
    restoring_ = false;
    return keeper_->install(kernel);
  }

  /// Whatever the policy would follow is left alone from now on: nothing of it would be over in time.
  void drain(bool begin) {
    if (begin == drain_.runs()) return;
    const bool open = options_.gateway.fail.dead == FailMode::kOpen;
    begin ? drain_.begin(capture::steady_ns(), options_.gateway.drain_seconds * kSecond) : drain_.stop();
    const auto newcomers = !begin ? gateway::Newcomers::kTakenIn : open ? gateway::Newcomers::kPass : gateway::Newcomers::kRefused;
    workers_->ask_all([&](gateway::Worker& worker) { worker.core().use(newcomers); });
    if (begin) {
      tell(fmt::format("drains; {} connections are left", left()));
    } else {
      tell("takes in connections again");
    }
    service_.alive(status(capture::wall_ns()));
  }

  std::size_t left() {
    std::size_t all = 0;
    workers_->ask_all([&](gateway::Worker& worker) { all += worker.core().remembered() + worker.core().closing(); });
    return all;
  }

  bool drained() {
    if (!drain_.runs()) return false;
    const std::size_t connections = left();
    if (!drain_.over(capture::steady_ns(), connections)) return false;
    tell(fmt::format("drained; {} connections are left", connections));
    return true;
  }

  /// The prober has written: connections from now on are decided by it.
  void take_feeds() {
    const auto before = options_.source.read.lookups.feeds;
    const auto policy = load_policy(options_.source);
    if (!policy || options_.source.read.lookups.feeds == before) return;  // what was refused is said
    options_.policy = policy;
    workers_->ask_all([&](gateway::Worker& worker) { worker.core().use(policy); });
    tell("feeds reloaded");
  }

  /// Who asks from elsewhere does not see standard error.
  std::expected<void, gateway::ReloadFailure> reload_for_another() {
    const Heard heard;
    if (reload()) return {};
    return std::unexpected(gateway::ReloadFailure{.said = heard.lines(), .left_out = heard.left_out()});
  }

  /// All of it, or nothing: then what runs stays as it is. Packets go on being decided while rules are made ready.
  bool reload() {
    GatewayOptions next = options_;
    if (!options_.config.empty() && !read_again(next)) return false;
    const auto paths = options_.inspect.rules;
    const auto variables = options_.inspect.variables;
    const auto counts = shared_.rule_counts();
    auto rules = read_rules(next.inspect);
    if (!rules) return false;
    const gateway::KernelRuleSettings kernel = next.kernel_rules();
    if (since(kernel) == engine::Since::kAnything) expect_anything();
    auto taken = install(kernel);
    if (!taken) say(kRules, taken.error(), "what ran goes on");
    if (taken) {
      taken = take_nat(next.nat);
      if (!taken) say(where_is(next.loaded, "nat"), "nat: " + taken.error(), "what ran goes on");
    }
    if (!taken) {
      if (const auto again = install(kernel_)) {
        all_stand();
      } else {
        gone_ = true;
        rules_trouble(again.error());
      }
      options_.inspect.rules = paths;
      options_.inspect.variables = variables;
      shared_.use(counts);
      return false;
    }
    kernel_ = kernel;
    all_stand();
    // Of `inspect` read_rules() has taken what may change; workers look at the rest.
    options_.source = std::move(next.source);
    options_.policy = std::move(next.policy);
    options_.names = next.names;
    options_.proxies = next.proxies;
    options_.gateway = std::move(next.gateway);
    options_.nat = std::move(next.nat);
    options_.loaded = std::move(next.loaded);
    workers_->ask_all([&](gateway::Worker& worker) {
      worker.use(*rules);
      worker.core().use(options_.policy);
    });
    const std::string text = shared_.rules_text();
    tell(text.empty() ? "reloaded" : fmt::format("reloaded; {}", text));
    say_doubts(options_.config, options_.loaded);
    return true;
  }

  /// What the configuration says now. False: it cannot be read, or asks for what only a restart can do; it is said.
  bool read_again(GatewayOptions& next) const {
    auto config = read_config(options_.config);
    if (!config) return false;
    const auto restart = gateway_keys_for_a_restart(options_.loaded, *config);
    for (const std::string& key : restart) say(where_is(*config, key), key + " cannot change while the gateway runs", "what ran goes on");
    if (!restart.empty()) return false;
    next.inspect.variables = config->variables;
    next.inspect.rules = options_.rules_given.empty() ? config->rules : options_.rules_given;
    next.nat = nat_settings(config->nat, config->gateway);
    next.source = policy_source(*config);
    next.source.read = options_.source.read;
    next.policy = load_policy(next.source);
    if (!next.policy) return false;
    next.names = asks_for_names(config->policy);
    next.proxies = has_proxy(config->policy);
    const GatewayConfig before = std::exchange(next.gateway, config->gateway);
    if (options_.proxies || !next.proxies) {
      next.gateway.proxy_port = before.proxy_port;
      next.gateway.proxy_table = before.proxy_table;
    }
    next.loaded = *std::move(config);
    return true;
  }

  std::string where_is(const Config& config, std::string_view key) const {
    const int line = line_of_key(config.lines, key);
    return line > 0 ? fmt::format("{}:{}", options_.config, line) : options_.config;
  }

  /// Translations that run go on. An error leaves all as it was.
  std::expected<void, std::string> take_nat(const rewrite::NatSettings& settings) {
    if (nat_) return nat_->use(settings, [&] { return nat_table_->use(settings); });
    if (settings.empty()) return {};
    if (auto begun = make_nat(settings); !begun) return begun;
    state_->use(*nat_);
    return {};
  }

  /// Those of the new configuration; if they cannot be read, the old ones' places stand again.
  std::optional<std::shared_ptr<const inspect::match::RuleSet>> read_rules(const InspectOptions& next) {
    auto paths = std::exchange(options_.inspect.rules, next.rules);
    auto variables = std::exchange(options_.inspect.variables, next.variables);
    auto rules = shared_.read_rules();
    if (!rules) {
      options_.inspect.rules = std::move(paths);
      options_.inspect.variables = std::move(variables);
    }
    return rules;
  }

  Totals totals() {
    Totals all;
    workers_->ask_all([&](gateway::Worker& worker) {
      const gateway::WorkerCounters counters = worker.counters();
      all.add(counters.engine);
      all.add(counters.named);
      all.add("gateway.queue.packets", counters.queue.packets);
      all.add("gateway.queue.bytes", counters.queue.bytes);
      all.add("gateway.queue.overflows", counters.queue.overflows);
      all.add("gateway.queue.cut", counters.queue.cut);
      all.add("gateway.queue.verdict_errors", counters.queue.verdict_errors);
      all.add("gateway.queue.full", counters.queue.queue_dropped);
      all.add("gateway.queue.buffer_full", counters.queue.user_dropped);
      all.add("gateway.queue.waiting", counters.queue.waiting);
    });
    all.add(workers_->counters());
    all.add("gateway.state_failures", state_ ? state_->failures() : 0);
    all.add("gateway.requests_refused", requests_.refused());
    all.add("gateway.rules_restored", rules_restored_);
    all.add("evicted.host_events", hosts_.evicted());
    if (nat_) add_nat(all);
    return all;
  }

  void add_nat(Totals& all) {
    const gateway::AddressNatCounters nat = nat_->counters();
    all.add("gateway.nat.translated", nat.translated);
    all.add("gateway.nat.echoes", nat.echoes);
    all.add("gateway.nat.taken_out", nat.taken_out);
    all.add("gateway.nat.wrong_hmac", nat.wrong_hmac);
    all.add("gateway.nat.keys_unknown", nat.keys_unknown);
    all.add("gateway.nat.no_room", nat.no_room);
    all.add("gateway.nat.pool_empty", nat.pool_empty);
    all.add("gateway.nat.kernel_errors", nat.kernel_errors);
    all.add("gateway.nat.mappings", nat.mappings);
  }

  web::Status status(TimeNs time) {
    web::Status status;
    status.uptime_s = (time - began_) / kSecond;
    status.draining = drain_.runs();
    for (const std::string& name : options_.gateway.interfaces)
      status.interfaces.push_back({.name = name, .watched = is_interface_there(name), .counted = false});
    for (const auto& [name, value] : shared_.counters(totals())) status.counters.emplace_back(name, value);
    if (gone_ || !rules_trouble_.empty())
      status.problems.push_back(fmt::format("{}: {}", kRules, rules_trouble_.empty() ? "they are being put back" : rules_trouble_));
    if (report::LogWriter* const log = shared_.service_log()) {
      for (std::string& trouble : log->troubles()) status.problems.push_back(std::move(trouble));
    }
    return status;
  }

  GatewayOptions options_;
  gateway::RequestQueue requests_;
  Service service_;
  Outputs shared_;
  HostFacts hosts_{kMostHosts};  ///< asks the inventory of shared_
  gateway::KernelRuleSettings kernel_;
  std::unique_ptr<gateway::RulesKeeper> keeper_;
  std::uint64_t rules_restored_ = 0;  ///< how often someone had taken them away
  bool gone_ = false;                 ///< they are not as they should be
  bool doubtful_ = false;             ///< the state says that anything may pass, as they are not, or may not be
  bool restoring_ = false;            ///< the keeper is asked to put them back, and not to look
  std::string rules_trouble_;         ///< why it is not known, or not mended; empty: all is well
  int statistics_ = -1;
  TimeNs began_ = 0;
  std::unique_ptr<gateway::NatTable> nat_table_;
  std::unique_ptr<gateway::AddressNat> nat_;
  std::unique_ptr<gateway::Workers> workers_;  ///< uses them
  std::optional<gateway::StateKeeper> state_;
  gateway::Drain drain_;
  std::unique_ptr<gateway::ControlSocket> control_;
};

int print_rules(const gateway::KernelRuleSettings& settings, const rewrite::NatSettings& nat) {
  std::string text;
  for (const auto family : {gateway::Family::kIpv4, gateway::Family::kIpv6}) {
    text +=
        fmt::format("# {}-restore --noflush\n{}", family == gateway::Family::kIpv4 ? "iptables" : "ip6tables", gateway::iptables_rules(settings, family, {}));
    for (const auto& command : gateway::delivery(settings, family, true)) text += fmt::format("# {}\n", fmt::join(command, " "));
  }
  text += fmt::format("# nft -f -\n{}", gateway::reset_rules(settings.marks));
  if (!nat.empty()) text += fmt::format("# nft -f -\n{}", gateway::nat_rules(nat));
  return show(text);
}

}  // namespace

int gateway(std::span<const char* const> arguments) {
  auto options = parse_gateway(arguments);
  if (!options) return options.error();
  if (options->broken) return options->knows_hold ? hold_up(options->kernel_rules()) : leave_rules(), kBadUsage;
  if (options->dry_run) return print_rules(options->kernel_rules(), options->nat);
  return Gateway(std::move(*options)).work();
}

}  // namespace weir::cli
