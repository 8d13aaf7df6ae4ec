"""How the admin writes days and times: as the pages do. Django asks for a module a language."""
