package auth

// saltSizeWritten is the size of the salts that we make, in octets.
const saltSizeWritten = 16
