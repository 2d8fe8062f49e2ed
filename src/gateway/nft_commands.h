// Commands for nftables.
#pragma once

#include <expected>
#include <memory>
#include <string>

struct nft_ctx;

namespace weir::gateway {

/// Purpose: runs nft's text in the kernel, a transaction at a time. Ownership: the connection to the kernel. One owner, one thread. Needs CAP_NET_ADMIN.
class NftCommands {
 public:
  static std::expected<NftCommands, std::string> open();

  /// All of it or nothing. The error is nft's first line, without where.
  std::expected<void, std::string> run(const std::string& text);

 private:
  struct ContextEnd {
    void operator()(nft_ctx* context) const;
  };
  using Context = std::unique_ptr<nft_ctx, ContextEnd>;
  explicit NftCommands(Context context) : context_(std::move(context)) {}

  Context context_;
};

}  // namespace weir::gateway
