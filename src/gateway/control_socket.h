// The Unix socket that a running gateway is asked over, by HTTP.
#pragma once

#include <condition_variable>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "gateway/control.h"
#include "report/problem.h"

namespace weir::gateway {

/// Purpose: takes a request at a time, hands it to the owner's thread, and gives its answer. Who may connect is a matter of the file: mode 0600.
/// Limits beside kHeadBytes in the source: octets of a request, seconds for it; no body. Ownership: the socket, its file and one thread. Threads: run_asked()
/// and the rest are the owner's.
class ControlSocket {
 public:
  /// In place of one that a killed process left.
  static std::expected<std::unique_ptr<ControlSocket>, report::Problem> open(const std::string& path);
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;
  ~ControlSocket();

  void start();
  /// Answers what is asked, if anything is.
  void run_asked(const std::function<Answer(const Command&)>& what);

 private:
  ControlSocket(std::string path, int listener) : path_(std::move(path)), listener_(listener) {}
  void run();
  void serve(int connection);
  Answer ask(const Command& command);

  std::string path_;
  int listener_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::optional<Command> asked_;
  std::optional<Answer> answered_;
  std::uint64_t number_ = 0;  ///< of what is asked: an answer that comes too late is no one's
};

}  // namespace weir::gateway
