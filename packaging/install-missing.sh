# Sourced by ./run and ./test: install_missing LIST... installs the Debian packages of the lists that are not there yet.
# shellcheck shell=bash

install_missing() {
  local wanted missing=() package as_root=()
  wanted=$(sed 's/#.*//' "$@")
  if ! command -v dpkg-query >/dev/null; then
    echo "This is no Debian: the packages of ${*} must be there under other names." >&2
    return 0
  fi
  local installed
  # shellcheck disable=SC2086 # one word a package
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null || true)
  for package in $wanted; do
    grep -qx -- "$package installed" <<<"$installed" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "Missing: ${missing[*]}. Install them as root, or install sudo: apt-get install ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "Installing what is missing (${as_root[*]:+with sudo: }apt-get install): ${missing[*]}" >&2
  # tshark asks whether everyone may capture; its default, no, is right.
  "${as_root[@]}" apt-get update -qq >&2 || true
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}
