#include "probe/raw/reset_guard.h"

#include <fmt/format.h>
#include <nftables/libnftables.h>
#include <unistd.h>

#include "probe/raw/cookie.h"

namespace weir::probe::raw {

void ResetGuard::Free::operator()(nft_ctx* context) const { nft_ctx_free(context); }

std::expected<ResetGuard, std::string> ResetGuard::install() {
  std::unique_ptr<nft_ctx, Free> context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context) return std::unexpected("libnftables cannot be used");
  nft_ctx_buffer_error(context.get());
  nft_ctx_buffer_output(context.get());
  const std::string rules = fmt::format(
      "table inet weir_probe_{} {{\n  flags owner\n  chain incoming {{\n    type filter hook prerouting priority -300; policy accept;\n"
      "    fib daddr type local tcp dport {}-{} drop\n  }}\n}}\n",
      ::getpid(), kFirstPort, kLastPort);
  if (nft_run_cmd_from_buffer(context.get(), rules.c_str()) != 0) {
    std::string why = nft_ctx_get_error_buffer(context.get());
    why.erase(std::min(why.find('\n'), why.size()));
    return std::unexpected(why.empty() ? "nftables refused the rule" : why);
  }
  return ResetGuard(std::move(context));
}

}  // namespace weir::probe::raw
