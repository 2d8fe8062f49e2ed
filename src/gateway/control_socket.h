// The Unix socket that a running gateway is asked over, by HTTP.
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <string>
#include <thread>

#include "gateway/control.h"
#include "gateway/request_queue.h"
#include "report/problem.h"

namespace weir::gateway {

/// Purpose: takes a request at a time, puts it into the queue, and gives its answer. Who may connect is a matter of the file: mode 0600.
/// Limits beside kHeadBytes in the source: octets of a request, seconds for it; no body. Ownership: the socket, its file and one thread; the queue outlives it.
/// Threads: all members are the owner's.
class ControlSocket {
 public:
  /// In place of one that a killed process left.
  static std::expected<std::unique_ptr<ControlSocket>, report::Problem> open(const std::string& path, RequestQueue& queue);
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;
  ~ControlSocket();

  void start();

 private:
  ControlSocket(std::string path, int listener, RequestQueue& queue) : path_(std::move(path)), listener_(listener), queue_(queue) {}
  void run();
  void serve(int connection);
  Answer ask(const Command& command);

  std::string path_;
  int listener_;
  RequestQueue& queue_;
  std::thread thread_;
  std::atomic<bool> stop_ = false;
};

}  // namespace weir::gateway
