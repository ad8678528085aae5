//! Ceremonies: plan, holders, share files, unlock sessions and their screens.
