// Threads to which no signal is delivered.
#pragma once

#include <csignal>

namespace weir::capture {

/// Purpose: while it lives no signal interrupts the calling thread, nor, for good, a thread that is begun meanwhile: signals are left to the others.
/// One owner, one thread.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t every{};
    ::sigfillset(&every);
    ::pthread_sigmask(SIG_BLOCK, &every, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace weir::capture
