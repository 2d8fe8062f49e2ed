// Keeps the kernel from resetting the prober's connections, while it speaks from an address of the host's own.
#pragma once

#include <expected>
#include <memory>
#include <string>

struct nft_ctx;

namespace weir::probe::raw {

/// Purpose: a table of nftables that drops what comes for the prober's ports, before TCP sees it (a packet socket has it by then).
/// Invariant: the table belongs to this object's netlink socket ("flags owner"): the kernel removes it with that, however the program
/// ends. Ownership: the socket. One owner, one thread. Needs CAP_NET_ADMIN.
class ResetGuard {
 public:
  /// Otherwise what the kernel or nftables said.
  static std::expected<ResetGuard, std::string> install();

 private:
  struct Free {
    void operator()(nft_ctx* context) const;
  };
  explicit ResetGuard(std::unique_ptr<nft_ctx, Free> context) : context_(std::move(context)) {}
  std::unique_ptr<nft_ctx, Free> context_;
};

}  // namespace weir::probe::raw
