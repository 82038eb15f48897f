# The work of an upgrade: arguments are the pins.
work() {
  # What an earlier attempt left half-configured; when this fails, the install of another version may still mend it.
  dpkg --configure -a
  ours_install "$@" && return 0
  return 1
}
