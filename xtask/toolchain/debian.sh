#!/bin/sh
# Makes FOLDER/toolchain, a Rust toolchain with the library for wasm32, of Debian's packages: `sh debian.sh FOLDER`.
#
# For machines that reach package registries only. Debian packages a recent Rust for its browsers (`rustc-web`), with the
# source of the matching standard library and the crates it is made of, but no library for wasm32. So the packages are
# unpacked into the folder (no root, and nothing of the system changes), and the library is built from that source. They
# have no linker for wasm either: rustup's is linked to.
#
# `sh debian.sh --packages PLAN DEPENDENCIES` only says what would be unpacked, for the test.

set -eu
export LC_ALL=C

TARGET=wasm32-unknown-unknown
PACKAGES="rustc-web cargo-web rust-web-src rust-web-clippy"

fail() {
  echo "error: $1" >&2
  exit 1
}

# What apt would install (`Inst` lines of its plan), the packages themselves and the host's library: of these some may be
# installed on this system already, and all must be in the tree.
packages() {
  {
    printf '%s\n' "$1" | sed -n 's/^Inst \([^ ]*\).*/\1/p'
    printf '%s\n' "$2" | sed -n 's/^ *Depends: \(libstd-rust-web.*\)/\1/p'
    printf '%s\n' $PACKAGES
  } | sort -u
}

# A program of apt. The package lists are fetched into the folder: root's may be missing or old.
apt() {
  program=$1
  shift
  # Without the sandbox user, since that user cannot write here.
  (cd "$folder/debs" && "$program" -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder/archives" \
    -o APT::Sandbox::User=root -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 -o Acquire::Retries=1 "$@")
}

unpack() {
  mkdir -p "$folder/lists/partial" "$folder/archives/partial" "$folder/debs" "$folder/tree"
  apt apt-get update
  plan=$(apt apt-get install --simulate --no-install-recommends $PACKAGES) \
    || fail "Debian's packages $PACKAGES are not available"
  dependencies=$(apt apt-cache depends rustc-web libstd-rust-web-dev)
  apt apt-get download $(packages "$plan" "$dependencies")
  for deb in "$folder"/debs/*.deb; do
    dpkg-deb -x "$deb" "$folder/tree" || fail "cannot unpack $deb"
  done
  mv "$folder/tree/usr" "$toolchain"
}

# Shared libraries stand directly in `lib`, where rustup lets the loader look.
lay_out() {
  for multiarch in "$toolchain"/lib/*-linux-gnu "$folder"/tree/lib/*-linux-gnu; do
    [ -d "$multiarch" ] || continue
    for library in "$multiarch"/*; do
      mv -fT "$library" "$toolchain/lib/${library##*/}"
    done
  done
}

# Links to the folder, not to a copy: the linker finds LLVM relative to itself.
link_linker() {
  for host in "$toolchain"/lib/rustlib/*-linux-gnu; do
    [ -d "$host" ] || fail "Debian's packages have no library for this host"
    rm -rf "$host/bin"
    ln -s "$linker" "$host/bin"
  done
}

# Builds the library by way of an empty crate and copies it into the toolchain.
build_library() {
  sources=$(readlink -e "$toolchain/lib/rustlib/src/rust/library") || fail "Debian's packages have no library source"
  mkdir -p "$work/src" "$work/.cargo"
  echo '#![no_std]' > "$work/src/lib.rs"
  printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n' > "$work/Cargo.toml"
  printf '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "%s"\n' "$sources/vendor" \
    > "$work/.cargo/config.toml"
  # The compiler is built from the release, and `-Z` wants to be allowed. Without bitcode a later link with `lto` fails.
  (cd "$work" && CARGO_TARGET_DIR="$work/target" RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes \
    cargo build --offline --release --target $TARGET -Zbuild-std=std,panic_abort,test)
  libraries="$toolchain/lib/rustlib/$TARGET/lib"
  mkdir -p "$libraries"
  for library in "$work/target/$TARGET"/release/deps/*.rlib; do
    case ${library##*/} in
      libempty-*) ;;
      *) cp "$library" "$libraries/" ;;
    esac
  done
}

# Proves compiler, library and linker together before the toolchain is kept.
link_a_program() {
  echo '#[unsafe(no_mangle)] pub extern "C" fn f() -> u8 { vec![1].len() as u8 }' > "$work/probe.rs"
  (cd "$work" && rustc --edition 2024 --crate-type cdylib --target $TARGET probe.rs) || fail "the new library does not link"
}

if [ "$1" = --packages ]; then
  packages "$2" "$3"
  exit
fi
folder=$1
toolchain=$folder/toolchain
work=$folder/library

linker=$(dirname "$(rustc --print target-libdir)")/bin
[ -e "$linker/rust-lld" ] || fail "the active Rust toolchain has no rust-lld: use one from rustup"
unpack
lay_out
link_linker
# rustup takes a folder for a toolchain's name.
export RUSTUP_TOOLCHAIN="$toolchain"
rustc --version || fail "Debian's rustc does not start"
build_library
link_a_program
rm -rf "$toolchain/src" "$toolchain/share" "$toolchain/lib/rustlib/src"
