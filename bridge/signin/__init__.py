"""Sign-in with msal: a connection in, a token or a SignInError out."""
